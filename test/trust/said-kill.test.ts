// What we do on our own account is told through the promise: a kill that the kernel refuses, and one that came too late.
import { chmodSync } from 'node:fs';

import { compiler } from '../robustness/compiled';
import { rootOnly } from '../support/capability';
import { evaluate } from '../support/own-process';
import { compiled } from './said-compiled';

describe('a program that became root by itself, and Node that is not root', () => {
  const program = compiled('said-root');
  beforeAll(() => {
    if (process.geteuid!() === 0 && compiler !== undefined) chmodSync(program.path, 0o4755);
  });
  const byRoot = (name: string, body: () => void): void => {
    if (compiler === undefined) test.skip(`${name} (skipped: needs a C compiler)`, body);
    else rootOnly(name, body);
  };

  /** What a script tells that an ordinary user runs, and what nobody caught in it. */
  const asUser = (source: string): unknown =>
    evaluate(
      `const { clone, run } = nsclone;
      const uncaught = [];
      process.on('uncaughtException', (error) => uncaught.push(String(error)));
      process.on('unhandledRejection', (error) => uncaught.push(String(error)));
      const program = ${JSON.stringify(program.path)};
      const nothing = { stdio: 'ignore' };
      const from = performance.now();
      // The program itself takes 1.5 seconds.
      const told = (promise) => promise.then(
        (end) => end,
        ({ name, code, syscall }) => ({ name, code, syscall, prompt: performance.now() - from < 1000 }));
      const end = await (async () => { ${source} })();
      // Node goes on, whatever was refused to it.
      const { code } = await (await clone('/bin/sh', ['-c', 'exit 6'])).exited;
      return [end, code, uncaught];`,
      ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', '--inh-caps=-all'],
    );
  const refused = { name: 'SyscallError', code: 'EPERM', syscall: 'pidfd_send_signal', prompt: true };

  byRoot('run() with a `timeout` rejects with what the kernel said, at once', () => {
    expect(asUser(`return told(run(program, ['1500', '5'], { timeout: 200 }));`)).toEqual([refused, 6, []]);
  });

  byRoot('so it does with a `signal`', () => {
    expect(
      asUser(`const abort = new AbortController();
        setTimeout(() => abort.abort(), 200);
        return told(run(program, ['1500', '5'], { signal: abort.signal }));`),
    ).toEqual([refused, 6, []]);
  });

  byRoot('so it does with more output than `maxBuffer`', () => {
    expect(asUser(`return told(run(program, ['1500', '5000'], { maxBuffer: 1000 }));`)).toEqual([refused, 6, []]);
  });

  byRoot('so it does when SIGKILL is refused after the grace', () => {
    expect(
      asUser(`return told(run(program, ['1500', '5'], { timeout: 100, killGrace: 100, killSignal: 'SIGINT' }));`),
    ).toEqual([refused, 6, []]);
  });

  byRoot('an `input` that breaks is told, and nothing is thrown past the promise', () => {
    const [end, code, uncaught] = asUser(`
      const { Readable } = require('node:stream');
      const input = new Readable({ read() { this.destroy(new Error('broken')); } });
      return told(run(program, ['1500', '5'], { input }));`) as [{ name: string }, number, string[]];
    expect([code, uncaught]).toEqual([6, []]);
    expect(end.name).toMatch(/^(?:Error|SyscallError)$/);
  });

  byRoot('clone(): it lives on, and `endedBy` is not said of it', () => {
    expect(
      asUser(`const child = await clone(program, ['600', '5'], { ...nothing, timeout: 100, killGrace: 100 });
        const { code, signal, endedBy } = await child.exited;
        return { code, signal, endedBy };`),
    ).toEqual([{ code: 3, signal: null }, 6, []]);
  });

  byRoot('[Symbol.asyncDispose]() waits for its end', () => {
    expect(
      asUser(`const child = await clone(program, ['600', '5'], { ...nothing, killGrace: 100 });
        await child[Symbol.asyncDispose]();
        return child.exitCode;`),
    ).toEqual([3, 6, []]);
  });
});

describe('`endedBy` beside a program that had ended already', () => {
  /** How a child is told to have ended to which this is done when it has ended and Node does not know. */
  const endOf = (options: string, then: string): unknown =>
    evaluate(`
      const { Flags } = nsclone;
      const abort = new AbortController();
      const child = await nsclone.clone('/bin/sh', ['-c', 'exit 5'], { stdio: 'ignore', ${options} });
      // It is a zombie by then, and Node has not looked.
      const { pid } = child;
      const isOver = () => /^State:\\s+Z/m.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8'));
      while (!isOver());
      ${then}
      const { code, signal, endedBy } = await child.exited;
      return { code, signal, endedBy: endedBy ?? 'none' };`);
  const itself = { code: 5, signal: null, endedBy: 'none' };
  const pid = `flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root',`;

  test.each([
    ['in our namespaces', ''],
    ['as pid 1', pid],
    ['beside a pid 1', `${pid} init: true,`],
  ])('%s: an abort is not what ended it', (_, options) => {
    expect(endOf(`${options} signal: abort.signal`, 'abort.abort();')).toEqual(itself);
  });

  test('nor is a timeout that comes before Node has looked', () => {
    const end = evaluate(`
      const child = await nsclone.clone('/bin/sh', ['-c', 'sleep 0.1; exit 5'], { stdio: 'ignore', timeout: 200 });
      // From here timers that are due come before what the kernel has to say.
      await new Promise(setImmediate);
      const from = performance.now();
      while (performance.now() < from + 400);
      const { code, signal, endedBy } = await child.exited;
      return { code, signal, endedBy: endedBy ?? 'none' };`);
    expect(end).toEqual(itself);
  });

  test('one that runs is ended by it', () => {
    const end = evaluate(`
      const child = await nsclone.clone('/bin/sleep', ['100'], { stdio: 'ignore', signal: AbortSignal.timeout(50) });
      const { code, signal, endedBy } = await child.exited;
      return { code, signal, endedBy };`);
    expect(end).toEqual({ code: null, signal: 'SIGTERM', endedBy: 'abort' });
  });
});
