// The constants of single options against the system's headers, as far as these have them.
import { stepConstants } from '../../lib/kernel/step-constants';
import { testWithHeaders, valuesOf } from './headers';

const headers = ['linux/sched.h', 'linux/ioprio.h', 'linux/mempolicy.h', 'linux/landlock.h'];
/** Words of config.json for what the kernel calls otherwise, or has no name for. */
const otherName: Readonly<Record<string, string>> = { SCHED_OTHER: 'SCHED_NORMAL', SCHED_ISO: '4' };

function valueOf(command: string, name: string): bigint | undefined {
  try {
    return valuesOf(command, headers, [name]).get(name);
  } catch {
    // These headers are older.
    return undefined;
  }
}

testWithHeaders(process.arch as 'x64', 'are those of the headers', (command) => {
  const names = Object.entries(stepConstants());
  const found = names.flatMap(([name, ours]) => {
    const value = valueOf(command, otherName[name] ?? name);
    return value === undefined ? [] : [[name, BigInt(ours), value] as const];
  });
  expect(found.filter(([, ours, theirs]) => ours !== theirs)).toEqual([]);
  expect(found.length).toBeGreaterThan(names.length * 0.6);
});
