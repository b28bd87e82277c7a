// Said means done: capabilities that the exec would take away from uid 0 are refused, not granted in words.
import { clone, type CloneOptions, Flags, plan, type SyscallError } from '../../lib';
import { rootOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { inside, owned } from '../support/inside';
import { planning } from '../support/refusal';

leavesNothing();

const CAP_CHOWN = 1n << 0n;
const refused = expect.objectContaining({
  name: 'TypeError',
  code: 'ERR_INVALID_ARG_VALUE',
  option: expect.stringMatching(/^capabilities/) as string,
  message: expect.stringMatching(/CAP_CHOWN.*bounding|bounding.*CAP_CHOWN/) as string,
}) as Error;

type Sets = NonNullable<Exclude<CloneOptions['capabilities'], readonly unknown[]>>;

/** What uid 0 would lose: at its exec it gets what is inheritable or in the bounding set, see capabilities(7). */
const lost: [string, Sets][] = [
  ['permitted', { bounding: [], permitted: ['CAP_CHOWN'] }],
  ['effective', { bounding: [], permitted: ['CAP_CHOWN'], effective: ['CAP_CHOWN'] }],
  ['permitted, one of two', { bounding: ['CAP_KILL'], permitted: ['CAP_CHOWN', 'CAP_KILL'] }],
];

describe('what bounding leaves out is refused for uid 0', () => {
  test.each(lost)('in %s, in a new user namespace', async (_, capabilities) => {
    expect(planning({ ...owned(0), capabilities })).toThrow(refused);
    await expect(clone('/bin/true', [], { ...owned(0), capabilities })).rejects.toEqual(refused);
  });

  rootOnly('in ours', () => {
    for (const [, capabilities] of lost) expect(planning({ capabilities })).toThrow(refused);
  });

  rootOnly('for a uid that becomes 0', () => {
    const ids = [
      { containerID: 0, hostID: 0, size: 1 },
      { containerID: 5, hostID: 5, size: 1 },
    ];
    const options = { flags: Flags.NEWUSER, uidMap: ids, gidMap: ids, uid: 0, gid: 0 };
    for (const [, capabilities] of lost) expect(planning({ ...options, capabilities })).toThrow(refused);
  });
});

describe('what is also', () => {
  test.each(['ambient', 'inheritable'] as const)('%s is no loss', async (set) => {
    const capabilities: Sets = { bounding: [], permitted: ['CAP_CHOWN'], [set]: ['CAP_CHOWN'] };
    expect(() => plan('/bin/true', [], { ...owned(0), capabilities })).not.toThrow();
    // The kernel lets nothing become inheritable that the bounding set has not: then that is said, or it is there.
    const permitted = await inside("sed -n 's/^CapPrm:\\t//p' /proc/self/status", { ...owned(0), capabilities }).then(
      (text) => BigInt(`0x${text}`),
      ({ name, code, step }: SyscallError) => ({ name, code, step }),
    );
    expect([CAP_CHOWN, { name: 'SyscallError', code: 'EPERM', step: 'identity' }]).toContainEqual(permitted);
  });
});

test('what bounding has is there', async () => {
  const capabilities: Sets = { bounding: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] };
  const text = await inside("sed -n 's/^CapPrm:\\t//p' /proc/self/status", { ...owned(0), capabilities });
  expect(BigInt(`0x${text}`)).toBe(CAP_CHOWN);
});
