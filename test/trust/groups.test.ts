// What changes hands takes nothing along: where the ids of a child are others than Node's, it has none of Node's groups; and
// nobody gets rid of a group that denies something to him ("negative groups", CVE-2018-7169).
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { longer } from '../support/attack';
import { rootOnly, userOnly } from '../support/capability';
import { evaluate } from '../support/own-process';
import { inside, owned } from '../support/inside';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-groups-'));
  chmodSync(folder, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of root and this group. */
function fileOf(group: number, mode: number): string {
  const path = join(folder, `${group}-${mode.toString(8)}`);
  writeFileSync(path, 'secret');
  chownSync(path, 0, group);
  chmodSync(path, mode);
  return path;
}

interface Outcome {
  /** As the child sees them: 'uid:gid'. */
  readonly ids?: string;
  /** As the host sees them: the supplementary groups. */
  readonly groups?: string[];
  /** Which of the files it has read. */
  readonly read?: string[];
  /** The code of the error where it has not started. */
  readonly refused?: string;
}

/** What a child of a Node of its own is. In `before` and `options`, which are JavaScript, there are `clone` and `Flags`. */
const childOf = (files: readonly string[], options: string, before: string, after = ''): Outcome =>
  evaluate<Outcome>(
    `const { clone, Flags } = nsclone;
     ${before}
     const files = ${JSON.stringify(files)};
     const script = 'echo $(id -u):$(id -g); for file in ' + files.join(' ') + '; do cat < $file > /dev/null && echo $file; done; echo end; read line';
     try {
       const child = await clone('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'], ...${options} });
       let text = '';
       for await (const part of child.stdout) if ((text += part).endsWith('end\\n')) break;
       // Beside a pid 1 of ours it is that one's only child; by itself it has none.
       const children = fs.readFileSync('/proc/' + child.pid + '/task/' + child.pid + '/children', 'utf8');
       const status = fs.readFileSync('/proc/' + (Number(children) || child.pid) + '/status', 'utf8');
       const groups = /^Groups:\\s*(.*)$/m.exec(status)[1];
       child.kill('SIGKILL');
       await child.exited;
       const [ids, ...read] = text.split('\\n').slice(0, -2);
       return { ids, groups: groups.split(' ').filter(Boolean), read };
     } catch (error) {
       return { refused: error.code };
     } finally {
       ${after}
     }`,
  );

const rootWithGroups = 'process.setgroups([0, 4, 27]);';
const others = '[{ containerID: 0, hostID: 100000, size: 65536 }]';
const maps = `uidMap: ${others}, gidMap: ${others}`;
const container = `const other = await clone('/bin/sleep', ['${longer}'], { flags: Flags.NEWUSER | Flags.NEWUTS, ${maps}, stdio: 'ignore' });`;

describe('maps that leave out our own id', () => {
  const cases: [string, string, string, string?][] = [
    ['alone', `{ flags: Flags.NEWUSER, ${maps} }`, '0:0'],
    ['with more namespaces', `{ flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWNET, ${maps} }`, '0:0'],
    ['with a pid 1 of ours', `{ flags: Flags.NEWUSER | Flags.NEWPID, init: true, ${maps} }`, '0:0'],
    ['with a uid', `{ flags: Flags.NEWUSER, uid: 5, ${maps} }`, '5:0'],
    ['with a uid and a gid', `{ flags: Flags.NEWUSER, uid: 5, gid: 6, ${maps} }`, '5:6'],
    ['of a container that is joined', '{ join: other }', '0:0', container],
  ];
  for (const [name, options, ids, before = ''] of cases) {
    rootOnly(`${name}: no group of Node's, and no file that they may read`, () => {
      const files = [fileOf(0, 0o440), fileOf(4, 0o440), fileOf(27, 0o640)];
      const after = before === '' ? '' : "other.kill('SIGKILL'); await other.exited;";
      const { groups, ...found } = childOf(files, options, rootWithGroups + before, after);
      expect(found).toEqual({ ids, read: [] });
      expect(groups!.filter((group) => Number(group) < 100_000)).toEqual([]);
    });
  }

  rootOnly('with groups: those, and no others', () => {
    const options = `{ flags: Flags.NEWUSER, groups: [7], ${maps} }`;
    const found = childOf([fileOf(0, 0o440), fileOf(4, 0o440)], options, rootWithGroups);
    expect(found).toEqual({ ids: '0:0', groups: ['100007'], read: [] });
  });
});

describe('a group that denies something to its members', () => {
  /** An ordinary user, who is in group 4. */
  const member = 'process.setgroups([4]); process.setgid(65533); process.setuid(65533);';
  const user = "flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root'";
  const cases: [string, string][] = [
    ['as he is', '{}'],
    ['in a user namespace', `{ ${user} }`],
    ['in a user namespace, by an empty list of groups', `{ ${user}, groups: [] }`],
    ['in a user namespace, by ids', `{ ${user}, uid: 0, gid: 0 }`],
    ['in a user namespace where groups may be set', `{ ${user}, setgroups: 'allow', groups: [] }`],
    ['in one without a map of groups', "{ flags: Flags.NEWUSER, uidMap: 'root', groups: [] }"],
  ];
  for (const [name, options] of cases) {
    rootOnly(`is not got rid of: ${name}`, () => {
      const file = fileOf(4, 0o604);
      const found = childOf([file], options, member);
      if (found.refused === undefined) expect(found).toMatchObject({ groups: ['4'], read: [] });
      else expect(found.refused).toMatch(/^(?:EPERM|ERR_INVALID_ARG_VALUE)$/);
    });
  }

  rootOnly('does deny it: who is in no group may read it', () => {
    const file = fileOf(4, 0o604);
    expect(childOf([file], '{}', member.replace('[4]', '[]')).read).toEqual([file]);
  });

  userOnly('cannot be left by setgroups(2) in a user namespace', async () => {
    expect(await inside('cat /proc/self/setgroups', owned(0))).toBe('deny');
  });
});
