// Entries that give a mount other attributes: `remount`.
import { clone, Flags, type Mount } from '../../../lib';
import { calls, failAt } from '../../support/fault';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { mountsSeen } from '../../support/mount-info';
import { planning, refusal } from '../../support/refusal';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const base = owned(Flags.NEWNS);
const remount = (target: string, ...attributes: ('ro' | 'rro' | 'noexec' | 'rw')[]): Mount => ({
  type: 'remount',
  target,
  attributes,
});

describe('remount rejects', () => {
  const given = (mount: object): (() => unknown) => planning({ ...base, mounts: [mount] });

  test('what says nothing, and what it cannot have', () => {
    expect(given({ type: 'remount', target: '/a' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].attributes'));
    expect(given({ type: 'remount', target: '/a', attributes: ['no'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].attributes[0]'),
    );
    for (const name of ['readonly', 'source', 'create']) {
      expect(given({ type: 'remount', target: '/a', attributes: ['ro'], [name]: true })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', `mounts[0].${name}`, 'is unknown'),
      );
    }
  });
});

test('remount emits one call on what is there', () => {
  const lines = emitted('mounts', { flags: Flags.NEWNS, mounts: [remount('/a', 'ro')] });
  expect(lines.join('\n')).toMatch(
    /openat2\(r\d+, "\/a".*\n.*mount_setattr\(r\d+, "", AT_EMPTY_PATH, \{attr_set=MOUNT_ATTR_RDONLY\}/,
  );
});

describe('remount, seen from inside', () => {
  const twice = (target: string): Mount[] => [
    { type: 'tmpfs', target },
    { type: 'tmpfs', target: `${target}/below`, create: true },
  ];

  test('it is of one mount, and lays none upon it', async () => {
    const script = `(echo > ${folder.path}/x) 2>&- || echo refused; echo > ${folder.path}/below/x && echo written`;
    const options = { ...base, mounts: [...twice(folder.path), remount(folder.path, 'ro')] };
    expect(await inside(script, options)).toBe('refused\nwritten');
    expect((await mountsSeen(options)).filter(({ point }) => point === folder.path)).toHaveLength(1);
  });

  test('with r in front it is of those below, too', async () => {
    const script = `(echo > ${folder.path}/below/x) 2>&- || echo refused`;
    expect(await inside(script, { ...base, mounts: [...twice(folder.path), remount(folder.path, 'rro')] })).toBe(
      'refused',
    );
  });

  test('of the root it is of the root alone', async () => {
    const script = '(echo > /x) 2>&- || echo refused; echo > /tmp/x && echo written';
    const mounts: Mount[] = [
      ...['/usr', '/bin', '/lib', '/lib64'].map((path): Mount => ({
        type: 'bind',
        source: path,
        target: path,
        create: true,
        optional: true,
      })),
      { type: 'tmpfs', target: '/tmp', create: true },
      remount('/', 'ro'),
    ];
    expect(await inside(script, { ...base, root: { type: 'tmpfs' }, mounts, cwd: '/' })).toBe('refused\nwritten');
  });
});

describe('remount, when the kernel refuses', () => {
  test('what is no mount point is told so', async () => {
    await expect(clone('true', { ...base, mounts: [remount(folder.path, 'ro')] })).rejects.toMatchObject({
      code: 'EINVAL',
      syscall: 'mount_setattr',
      option: 'mounts[0]',
      hint: 'the target is no mount point',
    });
  });

  test('each call of it', async () => {
    for (const call of ['openat2(r', 'mount_setattr(r']) {
      const error = await failAt({ ...base, mounts: [remount(folder.path, 'ro')] }, calls(call), 'EPERM');
      expect(error).toMatchObject({ code: 'EPERM', syscall: call.split('(')[0], step: 'mounts', option: 'mounts[0]' });
    }
  });
});
