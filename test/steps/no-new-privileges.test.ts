// Step `noNewPrivileges`: no exec gives more than the process has.
import { Flags, plan } from '../../lib';
import { rootOnly } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const call = 'noNewPrivileges: prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)';
/** `return ALLOW`. */
const allowAll = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
const bitWith = async (options: object): Promise<string> =>
  (await inside('grep NoNewPrivs: /proc/self/status', options)).split('\t')[1]!;

describe('noNewPrivileges rejects', () => {
  test.each(['true', 1, 0, null, {}, []])('%p', (noNewPrivileges) => {
    expect(planning({ noNewPrivileges })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'noNewPrivileges'));
  });
});

describe('noNewPrivileges emits', () => {
  test('nothing by default, nor where it is false', () => {
    expect(emitted('noNewPrivileges', {})).toEqual([]);
    expect(emitted('noNewPrivileges', { noNewPrivileges: false })).toEqual([]);
  });
  test('one call', () => {
    expect(emitted('noNewPrivileges', { noNewPrivileges: true })).toEqual([call]);
  });
  test('the same with a filter, unless it was said to be false', () => {
    expect(emitted('noNewPrivileges', { seccomp: allowAll })).toEqual([call]);
    expect(emitted('noNewPrivileges', { seccomp: allowAll, noNewPrivileges: false })).toEqual([]);
  });
  test('after the identity is what it is to be', () => {
    const options = { ...owned(0), uid: 0, capabilities: [], noNewPrivileges: true };
    const steps = linesOf(plan('/bin/true', [], options)).map(({ step }) => step);
    expect(steps.indexOf('noNewPrivileges')).toBeGreaterThan(steps.lastIndexOf('identity'));
  });
});

describe('noNewPrivileges, seen from inside', () => {
  test('the bit', async () => {
    expect(await bitWith({ noNewPrivileges: true })).toBe('1');
    expect(await bitWith({ ...owned(Flags.NEWPID), noNewPrivileges: true })).toBe('1');
  });
  test('with a filter', async () => {
    expect(await bitWith({ seccomp: allowAll })).toBe('1');
  });
  test('without it as we have it', async () => {
    const ours = (await inside('grep NoNewPrivs: /proc/$PPID/status')).split('\t')[1];
    expect(await bitWith({})).toBe(ours);
    expect(await bitWith({ noNewPrivileges: false })).toBe(ours);
  });
  rootOnly('what it is for: a set-user-ID program stays who it was', async () => {
    const script = 'f=$(mktemp); cp "$(command -v id)" $f; chown 1234 $f; chmod 4755 $f; $f -u; rm $f';
    expect(await inside(script, { noNewPrivileges: false, cwd: '/' })).toBe('1234');
    expect(await inside(script, { noNewPrivileges: true, cwd: '/' })).toBe('0');
  });
});

describe('noNewPrivileges, when the kernel refuses', () => {
  test('names the call', async () => {
    expect(fieldsOf(await failAt({ noNewPrivileges: true }, calls('prctl(PR_SET_NO_NEW_PRIVS'), 'EINVAL'))).toEqual({
      code: 'EINVAL',
      errno: -22,
      step: 'noNewPrivileges',
      option: 'noNewPrivileges',
      syscall: 'prctl',
      message: 'EINVAL: invalid argument, prctl (noNewPrivileges)',
    });
  });
});
