// Step `propagation`: whether mounts of the new mount namespace reach other ones.
import { constants, Flags } from '../../lib';
import { hasCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { hostMounts } from '../support/mount-info';
import { evaluate } from '../support/own-process';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const mnt = owned(Flags.NEWNS);
const words = ['private', 'slave', 'shared', 'unbindable', 'unchanged'] as const;

describe('propagation rejects', () => {
  test.each(words)('%s without the namespace, naming the flag', (propagation) => {
    expect(planning({ propagation })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'propagation', 'needs Flags.NEWNS in flags'),
    );
  });
  test('other words, with the nearest', () => {
    expect(planning({ ...mnt, propagation: 'slaves' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'propagation', 'did you mean "slave"?'),
    );
  });
  test.each([0, null, true, {}])('%p', (value) => {
    expect(planning({ ...mnt, propagation: value })).toThrow(expect.objectContaining({ option: 'propagation' }));
  });
});

describe('propagation emits', () => {
  test('nothing without the namespace', () => {
    expect(emitted('propagation', owned(Flags.NEWUTS))).toEqual([]);
  });
  test('private by default', () => {
    expect(emitted('propagation', mnt)).toEqual(emitted('propagation', { ...mnt, propagation: 'private' }));
  });
  test.each([
    ['private', 'MS_PRIVATE'],
    ['slave', 'MS_SLAVE'],
    ['shared', 'MS_SHARED'],
    ['unbindable', 'MS_UNBINDABLE'],
  ] as const)('%s, for every mount', (propagation, name) => {
    expect(emitted('propagation', { ...mnt, propagation })).toEqual([
      `propagation: mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, {propagation=${name}}, 32)`,
    ]);
  });
  test("nothing for 'unchanged'", () => {
    expect(emitted('propagation', { ...mnt, propagation: 'unchanged' })).toEqual([]);
  });
});

describe('propagation, seen from inside', () => {
  // A Node whose own mounts are all shared, as systemd has it.
  const wrapper = hasCapability(constants.CAP_SYS_ADMIN)
    ? ['unshare', '-m', '--propagation', 'shared']
    : ['unshare', '-Urm', '--propagation', 'shared'];
  let found: Record<string, string>;

  beforeAll(() => {
    found = evaluate(
      `const { clone, Flags } = nsclone;
       const found = {};
       for (const propagation of [undefined, ${words.map((word) => `'${word}'`).join(', ')}]) {
         const child = await clone('cat', ['/proc/self/mountinfo'], { flags: Flags.NEWNS, propagation });
         let text = '';
         for await (const chunk of child.stdout) text += chunk;
         const fields = text.split('\\n').find((line) => line.split(' ')[4] === '/').split(' ');
         found[propagation] = fields.slice(6, fields.indexOf('-')).join(' ');
       }
       return found;`,
      wrapper,
    );
  });

  test('private by default', () => {
    expect(found['undefined']).toBe('');
    expect(found['private']).toBe('');
  });
  test('slave gets what ours get', () => {
    expect(found['slave']).toMatch(/^master:\d+$/);
  });
  test('shared', () => {
    expect(found['shared']).toMatch(/shared:\d+/);
  });
  test('unbindable', () => {
    expect(found['unbindable']).toBe('unbindable');
  });
  test('unchanged is what ours are, or slave where the user namespace is new', () => {
    expect(found['unchanged']).toMatch(/shared:\d+/);
  });
  test('our own mounts stay as they are', async () => {
    const before = hostMounts();
    await inside('true', { ...mnt, propagation: 'unbindable' });
    expect(hostMounts()).toEqual(before);
  });
});

describe('propagation, when the kernel refuses', () => {
  test('names the call and the root', async () => {
    expect(fieldsOf(await failAt(mnt, calls('mount_setattr'), 'EPERM'))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'propagation',
      option: 'propagation',
      syscall: 'mount_setattr',
      path: '/',
      message: 'EPERM: operation not permitted, mount_setattr / (propagation)',
    });
  });
  test('says that a root must be a mount point', async () => {
    const error = await failAt(mnt, calls('mount_setattr'), 'EINVAL');
    expect(error.message).toMatch(/: our root is no mount point .*; bind-mount it to itself first$/);
  });
});
