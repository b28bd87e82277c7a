// No state rests without something that will look again: the ends of children that are threads of Node.
import { readFileSync } from 'node:fs';

import { evaluate } from '../support/own-process';

/** Of linux/sched.h. */
const SCHED_IDLE = 5;

/** The first of the processors that we may run on. */
const processor = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;

/** How many rounds of a thread that runs `line` were told of, before one was not. */
function told(rounds: number, line: string, beside: string, wrapper: readonly string[] = []): number {
  return evaluate<number>(
    `const { clone, record, Flags } = nsclone;
    const { spawn } = require('node:child_process');
    const line = record((c) => { ${line} });
    const flags = Flags.VM | Flags.SIGHAND | Flags.THREAD;
    let told = 0;
    ${beside}
    // Whatever wakes Node in between may find a lost end.
    const stuck = setTimeout(() => { console.log(told); process.exit(0); }, slow(20_000));
    while (told < ${rounds}) {
      await (await clone(line, { flags })).exited;
      told++;
    }
    clearTimeout(stuck);
    return told;`,
    wrapper,
  );
}

test('every end is told, one after the other', () => {
  expect(told(3000, '', '')).toBe(3000);
});

test('the end of a thread that comes late to it is told', () => {
  // On the one processor it runs when nobody else wants to, and others do: its wake-up is heard long before its end.
  const idle = `c.syscall('sched_setscheduler', 0, ${SCHED_IDLE}, Buffer.alloc(4));`;
  const busy = `for (let i = 0; i < 3; i++) {
      const other = spawn('/bin/sh', ['-c', 'while kill -0 $PPID; do :; done'], { stdio: 'ignore' });
      process.once('exit', () => other.kill('SIGKILL'));
      other.unref();
    }`;
  // Every round is such a one, and takes as long as whatever else the processor has to do.
  expect(told(10, idle, busy, ['taskset', '-c', processor])).toBe(10);
});
