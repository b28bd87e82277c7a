// On a kernel that is older than all of the package needs: what is refused says so, and nothing hangs.
import { clone, createNamespaces, Flags, probe, type SyscallError } from '../../lib';
import { isLinux, needing } from '../support/capability';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const onOldKernel = needing(!isLinux('5.15'), 'a kernel older than Linux 5.15');

const refused = (call: Promise<unknown>): Promise<SyscallError> =>
  call.then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );

describe('a kernel below the floor', () => {
  const calls: [string, () => Promise<unknown>][] = [
    ['a command in namespaces of its own', () => clone('/bin/true', [], owned(Flags.NEWPID | Flags.NEWNS))],
    ['namespaces alone', () => createNamespaces(Flags.NEWUSER | Flags.NEWNS)],
  ];
  for (const [name, call] of calls) {
    onOldKernel(`refuses ${name}, with what it needs`, async () => {
      const error = await refused(call());
      expect(error.hint).toMatch(/^this kernel is [\d.]+\S*, too old: .* came with 5\.\d+, and nsclone needs 5\.15$/);
    });
  }
  onOldKernel('is told of by probe()', async () => {
    const { namespaces } = await probe();
    const answers = Object.values(namespaces);
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.some((answer) => !answer.available && answer.detail?.includes('too old') === true)).toBe(true);
  });
});
