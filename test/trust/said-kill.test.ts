// What we do on our own account is told through the promise: a kill that the kernel refuses, and one that came too late.
import { chmodSync } from 'node:fs';

import { longer } from '../support/attack';
import { rootOnly } from '../support/capability';
import { asUser, evaluate } from '../support/own-process';
import { compiled, compiler } from '../support/compiled';

describe('a program that became root by itself, and Node that is not root', () => {
  const program = compiled('trust/said-root');
  beforeAll(() => {
    if (process.geteuid!() === 0 && compiler !== undefined) chmodSync(program.path, 0o4755);
  });
  const byRoot = (name: string, body: () => void): void => {
    if (compiler === undefined) test.skip(`${name} (skipped: needs a C compiler)`, body);
    else rootOnly(name, body);
  };

  /** What a script tells that an ordinary user runs, and what nobody caught in it. */
  const toldTo = (source: string): unknown =>
    evaluate(
      `const { clone, run } = nsclone;
      const uncaught = [];
      process.on('uncaughtException', (error) => uncaught.push(String(error)));
      process.on('unhandledRejection', (error) => uncaught.push(String(error)));
      const program = ${JSON.stringify(program.path)};
      const nothing = { stdio: 'ignore' };
      // The program goes on as long as this folder is there.
      const folder = fs.mkdtempSync('/tmp/nsclone-said-kill-');
      const end = () => fs.rmSync(folder, { recursive: true, force: true });
      process.once('exit', end);
      /** What a run() says of the program while it goes on. */
      const told = async (promise) => Promise.race([
        promise.catch(({ name, code, syscall }) => ({ name, code, syscall })),
        new Promise((_, reject) => setTimeout(reject, slow(8000), new Error('nothing is told while the program runs')).unref()),
      ]);
      /** The same, of times that are to pass when the program has become root, which no set-up and no exec is. */
      const passing = (start) => inTime((limit) => told(start(limit)), ({ code }) => code === 'EPERM');
      const isRoot = ({ pid }) => /^Uid:\\s+0\\s+0\\s+0\\s/m.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8'));
      /** When two times that were set before, one when the other had passed, have passed too. */
      const bothPassed = async (limit) => { for (let i = 0; i < 2; i++) await new Promise((resolve) => setTimeout(resolve, limit)); };
      const outcome = await (async () => { ${source} })();
      end();
      // Node goes on, whatever was refused to it.
      const { code } = await (await clone('/bin/sh', ['-c', 'exit 6'])).exited;
      return [outcome, code, uncaught];`,
      asUser,
    );
  const refused = { name: 'SyscallError', code: 'EPERM', syscall: 'pidfd_send_signal' };

  byRoot('run() with a `timeout` rejects with what the kernel said, at once', () => {
    expect(toldTo(`return passing((timeout) => run(program, [folder, '5'], { timeout }));`)).toEqual([refused, 6, []]);
  });

  byRoot('so it does with a `signal`', () => {
    expect(
      toldTo(`return passing((limit) => {
        const abort = new AbortController();
        setTimeout(() => abort.abort(), limit);
        return run(program, [folder, '5'], { signal: abort.signal });
      });`),
    ).toEqual([refused, 6, []]);
  });

  byRoot('so it does with more output than `maxBuffer`', () => {
    expect(toldTo(`return told(run(program, [folder, '5000'], { maxBuffer: 1000 }));`)).toEqual([refused, 6, []]);
  });

  byRoot('so it does when SIGKILL is refused after the grace', () => {
    expect(
      toldTo(
        `return passing((limit) => run(program, [folder, '5'], { timeout: limit, killGrace: limit, killSignal: 'SIGINT' }));`,
      ),
    ).toEqual([refused, 6, []]);
  });

  byRoot('an `input` that breaks is told, and nothing is thrown past the promise', () => {
    const [end, code, uncaught] = toldTo(`
      const { Readable } = require('node:stream');
      const input = new Readable({ read() { this.destroy(new Error('broken')); } });
      return told(run(program, [folder, '5'], { input }));`) as [{ name: string }, number, string[]];
    expect([code, uncaught]).toEqual([6, []]);
    expect(end.name).toMatch(/^(?:Error|SyscallError)$/);
  });

  byRoot('clone(): it lives on, and `endedBy` is not said of it', () => {
    expect(
      toldTo(`return inTime(async (limit) => {
        fs.mkdirSync(folder, { recursive: true });
        const child = await clone(program, [folder, '5'], { ...nothing, timeout: limit, killGrace: limit });
        await bothPassed(limit);
        end();
        const { code, signal, endedBy } = await child.exited;
        return { code, signal, endedBy };
      }, ({ signal }) => signal === null);`),
    ).toEqual([{ code: 3, signal: null }, 6, []]);
  });

  byRoot('[Symbol.asyncDispose]() waits for its end', () => {
    expect(
      toldTo(`const child = await clone(program, [folder, '5'], { ...nothing, killGrace: 30 });
        await until(() => isRoot(child));
        const disposed = child[Symbol.asyncDispose]();
        await bothPassed(30);
        end();
        await disposed;
        return child.exitCode;`),
    ).toEqual([3, 6, []]);
  });
});

describe('`endedBy` beside a program that had ended already', () => {
  /** In a script: whether it is a zombie, and Node has not looked. Or it has been told of with the start. */
  const isOver = `const isOver = (pid) => {
    try { return /^State:\\s+Z/m.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8')); } catch { return true; }
  };`;

  /** How a child is told to have ended to which this is done when it has ended and Node does not know. */
  const endOf = (options: string, then: string): unknown =>
    evaluate(`
      const { Flags } = nsclone;
      const abort = new AbortController();
      const child = await nsclone.clone('/bin/sh', ['-c', 'exit 5'], { stdio: 'ignore', ${options} });
      ${isOver}
      while (!isOver(child.pid));
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
      ${isOver}
      return inTime(async (timeout) => {
        const folder = fs.mkdtempSync('/tmp/nsclone-said-kill-');
        const script = 'while [ -e ' + folder + ' ] && kill -0 $PPID; do sleep 0.01; done; exit 5';
        const from = performance.now();
        const child = await nsclone.clone('/bin/sh', ['-c', script], { stdio: 'ignore', timeout })
          .catch((error) => { fs.rmdirSync(folder); throw error; });
        // From here timers that are due come before what the kernel has to say.
        await new Promise(setImmediate);
        fs.rmdirSync(folder);
        while (performance.now() < from + timeout + 10 || !isOver(child.pid));
        const { code, signal, endedBy } = await child.exited;
        return { code, signal, endedBy: endedBy ?? 'none' };
      }, ({ signal }) => signal === null);`);
    expect(end).toEqual(itself);
  });

  test('one that runs is ended by it', () => {
    const end = evaluate(`
      const sleeper = (signal) => nsclone.clone('/bin/sleep', ['${longer}'], { stdio: 'ignore', signal });
      const child = await inTime((milliseconds) => sleeper(AbortSignal.timeout(milliseconds)));
      const { code, signal, endedBy } = await child.exited;
      return { code, signal, endedBy };`);
    expect(end).toEqual({ code: null, signal: 'SIGTERM', endedBy: 'abort' });
  });
});
