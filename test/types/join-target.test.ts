// Targets of join and setns(): one way to name a process or a namespace; two at once do not compile, and are refused.
import { Flags, type JoinTarget, setns } from '../../lib';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const refused = (target: JoinTarget, option: string): Promise<void> =>
  expect(setns(target)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE', option });

const { pid } = process;

test('a target is named in one way', async () => {
  // @ts-expect-error -- which of the two?
  await refused({ pid, fd: 3 }, 'target');
  // @ts-expect-error -- which of the two?
  await refused({ pid, pidfd: 3 }, 'target');
  // @ts-expect-error -- which of the two?
  await refused({ pidfd: 3, fd: 3 }, 'target');
  // @ts-expect-error -- a descriptor is one namespace
  await refused({ fd: 3, flags: Flags.NEWNET }, 'target.flags');
});

test('what is not given may be undefined', () => {
  const targets: JoinTarget[] = [
    { pid, fd: undefined, pidfd: undefined, flags: undefined },
    { pidfd: 3, pid: undefined, fd: undefined },
    { fd: 3, pid: undefined, pidfd: undefined, flags: undefined },
  ];
  expect(targets).toHaveLength(3);
});
