// The caller's clocks are the caller's: a test that replaces the global timers stops neither a promise of ours nor a timeout.
import { clone, run } from '../../lib';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';

/** What becomes of children while `replace` has put other timers into the place of the global ones. */
function outcomes(replace: string): unknown {
  return evaluate(`
    const { clone, run } = nsclone;
    const { once } = require('node:events');
    const { setTimeout: inTime } = globalThis;
    const now = performance.now.bind(performance);
    const { setImmediate: inTurn } = globalThis;
    ${replace}
    const told = {};
    const settle = async (name, promise) => {
      told[name] = await Promise.race([promise, new Promise((resolve) => inTime(resolve, 2000, 'late'))]);
    };
    const elapsed = async (promise) => {
      const from = now();
      const end = await promise;
      const milliseconds = now() - from;
      return { ...end, inTime: milliseconds > 190 && milliseconds < 1900 };
    };
    const ended = ({ code, signal, endedBy }) => ({ code, signal, endedBy });
    await settle('run()', run('/bin/sh', ['-c', 'echo out']).then(({ code, stdout }) => ({ code, stdout })));
    const child = await clone('/bin/sh', ['-c', 'exit 4'], { stdio: 'ignore' });
    const events = Promise.all(['spawn', 'exit', 'close'].map((event) => once(child, event))).then(() => 'all');
    await settle('exited', child.exited.then(({ code }) => code));
    await settle('events', events);
    const sleeper = (options) => clone('/bin/sleep', ['5'], { stdio: 'ignore', ...options }).then(({ exited }) => exited).then(ended);
    await settle('timeout', elapsed(sleeper({ timeout: 200 })));
    await settle('signal', sleeper({ signal: AbortSignal.abort() }).catch(({ name }) => name));
    await settle('timeout of run()', elapsed(run('/bin/sleep', ['5'], { timeout: 200 }).then(ended)));
    // A grandchild holds its output.
    await settle('patience of run()', elapsed(run('/bin/sh', ['-c', 'sleep 2 & exit 0'], { timeout: 200 }).then(ended)));
    const deaf = clone('/bin/sh', ['-c', 'trap "" TERM; echo; for i in $(seq 40); do sleep 0.05; done'], { stdio: ['ignore', 'pipe', 'ignore'], timeout: 100, killGrace: 200 });
    await settle('killGrace', elapsed(deaf.then(({ exited }) => exited).then(ended)));
    const typed = clone('/bin/cat', [], { pty: true }).then(async (cat) => {
      cat.pty.end('x'.repeat(50) + '\\n');
      cat.pty.resume();
      return (await cat.exited).code;
    });
    await settle('pty', typed);
    inTurn(() => process.exit(0));
    return told;`);
}

const all = {
  'run()': { code: 0, stdout: 'out\n' },
  exited: 4,
  events: 'all',
  timeout: { code: null, signal: 'SIGTERM', endedBy: 'timeout', inTime: true },
  signal: 'AbortError',
  'timeout of run()': { code: null, signal: 'SIGTERM', endedBy: 'timeout', inTime: true },
  'patience of run()': { code: 0, signal: null, endedBy: 'timeout', inTime: true },
  killGrace: { code: null, signal: 'SIGKILL', endedBy: 'timeout', inTime: true },
  pty: 0,
};

test("with node:test's mock timers", () => {
  const replace = `require('node:test').mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] });`;
  expect(outcomes(replace)).toEqual(all);
});

test('with timers that a test has made', () => {
  const replace = `
    const never = () => ({ ref() { return this; }, unref() { return this; }, hasRef: () => false, refresh() { return this; } });
    for (const name of ['setTimeout', 'setInterval', 'setImmediate']) globalThis[name] = never;
    for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate'])
      globalThis[name] = () => { throw new Error(name + ' of the test was called'); };`;
  expect(outcomes(replace)).toEqual(all);
});

describe('with the fake timers of jest', () => {
  leavesNothing();
  const inTime = globalThis.setTimeout;
  const late = (): Promise<string> => new Promise((resolve) => inTime(resolve, 3000, 'late').unref());
  afterEach(() => jest.useRealTimers());

  test.each([
    ['modern', {}],
    ['legacy', { legacyFakeTimers: true } as const],
  ])('%s: run() and `exited` settle, and a timeout ends', async (_, config) => {
    jest.useFakeTimers(config);
    expect(await Promise.race([run('/bin/echo', ['out']).then(({ stdout }) => stdout), late()])).toBe('out\n');
    const child = await clone('/bin/sh', ['-c', 'exit 4'], { stdio: 'ignore' });
    expect(await Promise.race([child.exited, late()])).toMatchObject({ code: 4 });
    const sleeper = await clone('/bin/sleep', ['5'], { stdio: 'ignore', timeout: 50 });
    const end = await Promise.race([sleeper.exited, late()]);
    sleeper.kill('SIGKILL');
    expect(end).toMatchObject({ signal: 'SIGTERM', endedBy: 'timeout' });
  });
});
