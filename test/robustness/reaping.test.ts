// Somebody else in the process reaps our children: the end is told truly, or as unknown, and the loop goes on.
import { evaluate } from '../support/own-process';
import { compiled, withCompiler } from '../support/compiled';

const reap = compiled('robustness/reap', ['-shared', '-fPIC', '-pthread', '-Wl,-z,nodelete']);

function evaluateWith<T>(how: string, source: string): T {
  return evaluate<T>(`
    const { clone, Flags } = nsclone;
    process.env.REAP = ${JSON.stringify(how)};
    // It is no addon; loading it is all that is needed.
    try { process.dlopen({ exports: {} }, ${JSON.stringify(reap.path)}); } catch {}
    const sorts = [{}, { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root' }, { flags: Flags.NEWUSER | Flags.NEWNET }];
    ${source}`);
}

/** What may be said of a child that ended like this: the truth, or nothing. */
const unknown = { code: null, signal: null };

describe.each(['ignore', 'wait'])('children reaped by another one (%s)', (how) => {
  withCompiler('an exit code is told truly or not at all', () => {
    const ends = evaluateWith<{ code: number | null; signal: string | null }[]>(
      how,
      `const ends = [];
      for (let i = 0; i < 60; i++) {
        const child = await clone('/bin/sh', ['-c', 'exit ' + (i + 1)], sorts[i % 3]);
        const { code, signal } = await child.exited;
        ends.push({ code, signal });
      }
      return ends;`,
    );
    expect(ends).toHaveLength(60);
    ends.forEach((end, index) => expect([unknown, { code: index + 1, signal: null }]).toContainEqual(end));
  });

  withCompiler('so is a signal', () => {
    const ends = evaluateWith<unknown[]>(
      how,
      `const ends = [];
      for (let i = 0; i < 20; i++) {
        const child = await clone('/bin/sleep', ['100'], sorts[i % 3]);
        setTimeout(() => child.kill('SIGKILL'), i);
        const { code, signal } = await child.exited;
        ends.push({ code, signal });
      }
      return ends;`,
    );
    expect(ends).toHaveLength(20);
    for (const end of ends) expect([unknown, { code: null, signal: 'SIGKILL' }]).toContainEqual(end);
  });

  withCompiler('a command that does not exist is still named', () => {
    const codes = evaluateWith<string[]>(
      how,
      `const codes = [];
      for (let i = 0; i < 20; i++) codes.push(await clone('/no/such', [], sorts[i % 3]).then(() => 'started', ({ code }) => code));
      return codes;`,
    );
    expect(codes).toEqual(Array.from({ length: 20 }, () => 'ENOENT'));
  });

  withCompiler('many at once, with child_process beside them: none is lost', () => {
    const counts = evaluateWith<number[]>(
      how,
      `const { spawn } = require('node:child_process');
      let ours = 0;
      for (let round = 0; round < 5; round++) {
        // With its own children Node cannot cope here: they are only started.
        for (let i = 0; i < 3; i++) spawn('/bin/true', { stdio: 'ignore' }).unref();
        const children = await Promise.all(Array.from({ length: 12 }, (_, i) => clone('/bin/true', [], sorts[i % 3])));
        ours += (await Promise.all(children.map((child) => child.exited))).length;
      }
      console.error = () => {};
      setImmediate(() => process.exit(0));
      console.log(JSON.stringify([ours]));
      await new Promise(() => {});`,
    );
    expect(counts).toEqual([60]);
  });
});
