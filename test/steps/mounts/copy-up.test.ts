// Type `tmpfs` with `copyUp`: what it covers is in it.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, type Mount } from '../../../lib';
import { isLinux, needing, rootOnly } from '../../support/capability';
import { calls, failAt } from '../../support/fault';
import { callsItself, kernels } from '../../support/host';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { planning, refusal } from '../../support/refusal';
import { removeFolder } from '../../support/remove-folder';

leavesNothing();

const base = owned(Flags.NEWNS);

let folder: string;
let covered: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
  covered = join(folder, 'covered');
  mkdirSync(join(covered, 'below'), { recursive: true });
  writeFileSync(join(covered, 'file'), 'old');
  writeFileSync(join(covered, 'below/other'), 'other');
});
afterEach(() => {
  removeFolder(folder);
});
const copying = (fields: object = {}): Mount => ({ type: 'tmpfs', target: covered, copyUp: true, ...fields });

describe('copyUp rejects', () => {
  test('what is no boolean', () => {
    expect(planning({ ...base, mounts: [copying({ copyUp: 1 })] })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].copyUp'),
    );
  });
  test('to be in a root, which is mounted on nothing', () => {
    expect(planning({ ...base, mounts: [copying({ target: '/' })] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].copyUp', 'a root is mounted on nothing'),
    );
    expect(planning({ ...base, root: { type: 'tmpfs', copyUp: true } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'root.copyUp'),
    );
    expect(planning({ ...base, root: { type: 'tmpfs', copyUp: false } })).not.toThrow();
  });
  test('a mode or a size that is none', () => {
    expect(planning({ ...base, mounts: [copying({ mode: -1 })] })).toThrow(
      refusal('ERR_OUT_OF_RANGE', 'mounts[0].mode'),
    );
    expect(planning({ ...base, mounts: [copying({ size: 'a' })] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].size'),
    );
  });
});

describe('copyUp emits', () => {
  callsItself('6.18.0');
  test('an overlay of the directory itself, whatever its path leads to by then', () => {
    const lines = emitted('mounts', { ...base, mounts: [copying({ size: '1m' })] });
    const layer = lines.findIndex((line) => line.includes('"lowerdir+", "."'));
    const directory = /openat2\(.* = (r\d)/.exec(lines.find((line) => line.includes(covered))!)![1]!;
    expect(lines[layer - 1]).toBe(`mounts[0]: fchdir(${directory})`);
    expect(lines.filter((line) => line.includes(covered))).toHaveLength(1);
    expect(lines.find((line) => line.includes('"size"'))).toContain('"1m"');
  });
});

describe.each(kernels)('copyUp, seen from inside, %s', (_, release) => {
  callsItself(release);
  const seen = (script: string, fields: object = {}, options: CloneOptions = base): Promise<string> =>
    inside(script, { ...options, mounts: [copying(fields)] });

  const removes = needing(isLinux('6.6'), 'a tmpfs with attributes of users, Linux 6.6');
  removes('what was there is there, and can be changed and removed', async () => {
    const script = `cd ${covered}; cat file below/other; echo new > file; rm -r below; echo more > more; cat file; ls`;
    expect(await seen(script)).toBe('oldothernew\nfile\nmore');
  });
  rootOnly('in our own user namespace as well', async () => {
    const script = `cd ${covered}; cat file below/other; echo new > file; rm -r below; cat file; ls`;
    expect(await seen(script, {}, { flags: Flags.NEWNS })).toBe('oldothernew\nfile');
  });
  test('and outside nothing of it has changed', async () => {
    await seen(`cd ${covered}; echo new > file; rm -r below; echo more > more; chmod 700 .`);
    expect(readdirSync(covered).sort()).toEqual(['below', 'file']);
    expect(readFileSync(join(covered, 'file'), 'utf8')).toBe('old');
  });
  test('the permissions are those of the directory, or those asked for', async () => {
    chmodSync(covered, 0o1733);
    expect(await seen(`stat -c %a ${covered}`)).toBe('1733');
    expect(await seen(`stat -c %a ${covered}`, { mode: 0o750 })).toBe('750');
  });
  rootOnly('and so is the owner', async () => {
    chownSync(covered, 12, 34);
    expect(await seen(`stat -c %u:%g ${covered}`, {}, { flags: Flags.NEWNS })).toBe('12:34');
    // One that has no place in the user namespace cannot own it there.
    expect(await seen(`stat -c %u:%g ${covered}`)).toBe('0:0');
  });
  test('the size is that of what is written', async () => {
    const script = `head -c 3000000 /dev/zero 2>&1 > ${covered}/large || true`;
    expect(await seen(script, { size: '1m' })).toMatch(/No space left/);
    expect(await seen(script)).toBe('');
  });
  test('nosuid and nodev, and what else is asked for', async () => {
    const found = await seen(`grep " ${covered} " /proc/self/mountinfo`, { readonly: true });
    expect(found.split(' ')[5]!.split(',')).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev']));
    expect(found).toContain(' - overlay ');
  });
  test('a directory that is made for it is empty', async () => {
    const target = join(folder, 'made/here');
    expect(await seen(`ls -A ${target}; touch ${target}/a`, { target, create: true })).toBe('');
    expect(readdirSync(target)).toEqual([]);
  });
  test('a missing directory where it is optional', async () => {
    expect(await seen('echo went on', { target: join(folder, 'missing'), optional: true })).toBe('went on');
  });
  needing(process.getuid!() === 0, 'root')('in another root', async () => {
    mkdirSync(join(covered, 'etc'));
    writeFileSync(join(covered, 'etc/hosts'), 'hosts');
    const folders: Mount[] = ['/bin', '/lib', '/lib64', '/usr'].map((target) => ({
      type: 'bind',
      source: target,
      target,
      create: true,
      optional: true,
    }));
    const mounts: Mount[] = [...folders, { type: 'tmpfs', target: '/etc', copyUp: true }];
    expect(await inside('echo >> /etc/hosts; cat /etc/hosts', { ...base, root: covered, mounts })).toBe('hosts');
    expect(readFileSync(join(covered, 'etc/hosts'), 'utf8')).toBe('hosts');
  });
  test('our own working directory is where it was', async () => {
    expect(await seen('pwd')).toBe(process.cwd());
  });
});

describe.each(kernels)('copyUp, when the kernel refuses, %s', (_, release) => {
  callsItself(release);
  test('a layer that it cannot take', async () => {
    const layers = release === undefined && isLinux('6.15') ? '"lowerdir+"' : '"lowerdir=';
    const error = await failAt({ ...base, mounts: [copying()] }, ({ call }) => call.includes(layers), 'EINVAL');
    expect(error).toMatchObject({ path: 'tmpfs', dest: covered });
    expect(error.message).toMatch(/^EINVAL: invalid argument, mount tmpfs -> .* \(mounts\[0\]\): each layer must/);
  });
  test('a directory that is missing', async () => {
    const target = join(folder, 'missing');
    await expect(clone('/bin/true', { ...base, mounts: [copying({ target })] })).rejects.toMatchObject({
      code: 'ENOENT',
      hint: 'the target is missing; create: true makes it',
    });
  });
  test('the permissions of the layer', async () => {
    const options = { ...base, mounts: [copying()] };
    expect(await failAt(options, calls('fchmod('), 'EPERM')).toMatchObject({ code: 'EPERM', syscall: 'fchmod' });
  });
});
