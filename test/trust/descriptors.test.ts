// Nothing of ours is open: what a step has opened is closed, not only marked, before a child waits, forks or executes.
import { mkdirSync } from 'node:fs';

import { type CloneOptions, Flags } from '../../lib';
import { addon } from '../support/addon';
import { longer, ownCgroup } from '../support/attack';
import { rootOnly } from '../support/capability';
import { removeCgroup } from '../support/cgroups';
import { evaluate } from '../support/own-process';

const { NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS } = Flags;

const cgroup = ownCgroup();
if (cgroup !== undefined) {
  beforeAll(() => mkdirSync(cgroup));
  afterAll(() => removeCgroup(cgroup));
}

function withCgroup(name: string, body: () => void): void {
  if (cgroup === undefined) test.skip(`${name} (skipped: needs a cgroup v2 hierarchy that we may write)`, body);
  else rootOnly(name, body);
}

/** What of the options a script makes by itself: the cgroup's folder, and a container to join. */
type Options = Omit<CloneOptions, 'cgroup' | 'join' | 'stdio'> & {
  cgroup?: 'path' | 'descriptor' | 'list';
  join?: 'container';
};

/** A Node that was started with a folder of the host open, which its children would inherit. */
const leaky = ['/bin/sh', '-c', 'exec 9</etc; exec "$@"', 'sh'];

/** 'number target' of each descriptor. */
interface Open {
  readonly held: string[];
  readonly program: string[];
  /** Of pid 1, once its program runs. */
  readonly pidOne: string[];
  /** What of Node's own a child inherits without `closeFds`. */
  readonly inheritable: string[];
}

/** What is open in a child of ours, seen by root from outside. */
const openIn = (options: Options, stdio: readonly string[]): Open =>
  evaluate<Open>(
    `const { clone } = nsclone;
     const open = (pid) => fs.readdirSync('/proc/' + pid + '/fd')
       .flatMap((number) => {
         try { return [number + ' ' + fs.readlinkSync('/proc/' + pid + '/fd/' + number)]; } catch { return []; }
       })
       .sort((a, b) => parseInt(a) - parseInt(b));
     const isInheritable = (line) => {
       try {
         const info = fs.readFileSync('/proc/self/fdinfo/' + parseInt(line), 'utf8');
         return (parseInt(/^flags:\\s+(\\d+)$/m.exec(info)[1], 8) & 0o2000000) === 0;
       } catch { return false; }
     };
     const inheritable = open('self').filter((line) => parseInt(line) > 2 && isInheritable(line));
     const options = { ...${JSON.stringify(options)}, stdio: ${JSON.stringify(stdio)} };
     const folder = ${JSON.stringify(cgroup ?? '')};
     if (options.cgroup !== undefined) options.cgroup = options.cgroup === 'path' ? folder : options.cgroup === 'list' ? [folder] : fs.openSync(folder, 'r');
     const container = { flags: ${NEWUSER | NEWPID | NEWNS | NEWUTS}, uidMap: 'root', gidMap: 'root', stdio: 'ignore' };
     const children = [];
     if (options.join !== undefined) children.push((options.join = await clone('/bin/sleep', ['${longer}'], container)));
     const child = await clone('/bin/sleep', ['${longer}'], { ...options, hold: true });
     children.push(child);
     const held = open(child.pid);
     await child.start();
     let pidOne = [], program = child.pid;
     if (options.init) {
       // At once: it has let go of everything before its program was executed.
       pidOne = open(child.pid);
       program = Number(fs.readFileSync('/proc/' + child.pid + '/task/' + child.pid + '/children', 'utf8'));
     }
     // Asleep: its own libraries and locales are read, and closed.
     await until(() => /nanosleep|^0$/.test(fs.readFileSync('/proc/' + program + '/wchan', 'utf8')) &&
       fs.readFileSync('/proc/' + program + '/stat', 'utf8').includes(' S '));
     const found = { held, program: open(program), pidOne, inheritable };
     for (const one of children) {
       one.kill('SIGKILL');
       await one.exited;
     }
     return found;`,
    leaky,
  );

const number = (line: string): number => Number.parseInt(line, 10);
const target = (line: string): string => line.slice(line.indexOf(' ') + 1);
const oneSocket: unknown[] = [expect.stringMatching(/^socket:/)];

const shapes: [string, readonly string[], CloneOptions?][] = [
  ['the usual three', ['ignore', 'inherit', 'inherit']],
  ['pipes', ['pipe', 'pipe', 'pipe']],
  ['more entries', ['ignore', 'pipe', 'inherit', 'pipe', 'ignore', 'pipe']],
  ['closeFds: false', ['ignore', 'inherit', 'inherit'], { closeFds: false }],
  ['closeFds: false and more entries', ['pipe', 'ignore', 'inherit', 'pipe'], { closeFds: false }],
];

const ids = { uidMap: 'root', gidMap: 'root' } as const;
const everything = {
  ...ids,
  flags: NEWUSER | NEWPID | NEWNS | NEWNET | NEWTIME | NEWUTS,
  hostname: 'box',
  loopback: true,
  mounts: [{ type: 'proc', target: '/proc' }],
  timeOffsets: { boottime: { seconds: 1000 } },
  sysctl: { 'net.ipv4.ip_forward': '1' },
  oomScoreAdj: 100,
  cwd: '/',
} as const satisfies Options;

const kinds: [string, Options][] = [
  ['a plain child', {}],
  ['a child in a user namespace', { ...ids, flags: NEWUSER | NEWNS }],
  ['a child that writes its own maps', { ...ids, flags: NEWUSER | NEWPID, setgroups: 'deny' }],
  ['a child of everything', everything],
];
const underRules: Options = {
  landlock: { rules: [{ path: '/', access: ['read', 'write', 'execute'] }], minimumAbi: 1 },
};
if (addon().landlockAbi() > 0) kinds.push(['a child under Landlock', underRules]);
/** What is kept until the exec, and leads to no file. */
const ruleset = 'anon_inode:[landlock-ruleset]';
const joining: [string, Options] = ['a child that joins', { join: 'container' }];
const cgroups: [string, Options][] = [
  ['a child in a cgroup', { cgroup: 'path' }],
  ['a child in a cgroup by its descriptor', { cgroup: 'descriptor' }],
  ['a child in a cgroup and a pid namespace', { cgroup: 'path', flags: NEWPID | NEWNS }],
  ['a child in a cgroup that joins', { cgroup: 'path', join: 'container' }],
  ['a child in the cgroup of a list, with all that it starts', { cgroup: 'list', killTree: true }],
];
const pidOnes: [string, Options][] = [
  ['a child in a pid namespace', { flags: NEWPID | NEWNS }],
  ['a child that writes its own maps', { ...ids, flags: NEWUSER | NEWPID, setgroups: 'deny' }],
  ['a child of everything', everything],
];

for (const [shape, stdio, more] of shapes) {
  describe(`with ${shape}`, () => {
    const look = (options: Options): Open => {
      const open = openIn({ ...options, ...(more as Options) }, stdio);
      const own = open.program.filter((line) => number(line) < stdio.length);
      // As child_process has it: beyond the first three nothing is opened for 'ignore'.
      expect(own.map(number)).toEqual([...stdio.keys()].filter((entry) => entry < 3 || stdio[entry] !== 'ignore'));
      expect(open.program.slice(own.length)).toEqual(more?.closeFds === false ? open.inheritable : []);
      return open;
    };
    const heldHasOneMore = (options: Options) => (): void => {
      const { held, program } = look(options);
      expect(held.filter((line) => !program.includes(line)).map(target)).toEqual(oneSocket);
      expect(program.filter((line) => !held.includes(line))).toEqual([]);
    };
    const pidOneHasOneMore = (options: Options) => (): void => {
      const { held, program, pidOne } = look({ ...options, init: true });
      // The numbers are another matter: stdio is put in its place by the program.
      const theirs = new Set(program.map(target));
      const others = held.map(target).filter((name) => !theirs.has(name) && name !== ruleset);
      expect(held.map(target).includes(ruleset)).toBe(options.landlock !== undefined);
      expect(others).toEqual(oneSocket);
      expect(pidOne).toEqual([]);
    };

    for (const [name, options] of [...kinds, joining])
      rootOnly(`${name} has stdio, and one socket while it is held`, heldHasOneMore(options));
    for (const [name, options] of cgroups)
      withCgroup(`${name} has stdio, and one socket while it is held`, heldHasOneMore(options));
    for (const [name, options] of pidOnes)
      rootOnly(
        `the pid 1 of ${name} has nothing, and what stdio needs and one socket while it is held`,
        pidOneHasOneMore(options),
      );
    if (addon().landlockAbi() > 0) {
      rootOnly(
        'the pid 1 of a child under Landlock has nothing, and what stdio needs, one socket and the ruleset while it is held',
        pidOneHasOneMore({ ...underRules, flags: NEWPID | NEWNS }),
      );
    }
    withCgroup(
      'the pid 1 of a child in a cgroup has nothing, and what stdio needs and one socket while it is held',
      pidOneHasOneMore(cgroups[2]![1]),
    );
  });
}

describe('seen by the program itself', () => {
  for (const [name, options] of kinds) {
    test(`${name} has stdio and nothing else`, () => {
      const script = `return (await nsclone.run('/bin/ls', ['-l', '/proc/self/fd'], ${JSON.stringify(options)})).stdout;`;
      const found = evaluate<string>(script, leaky)
        .split('\n')
        .flatMap((line) => /(\d+) -> (.*)$/.exec(line)?.slice(1).join(' ') ?? [])
        // The folder that ls(1) reads.
        .filter((line) => !/^\d+ \/proc\/\d+\/fd$/.test(line));
      expect(found.map(number)).toEqual([0, 1, 2]);
    });
  }
});
