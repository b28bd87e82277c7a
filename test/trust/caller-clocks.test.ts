// The caller's clocks are the caller's: a test that replaces the global timers stops neither a promise of ours nor a timeout.
import { clone, run } from '../../lib';
import { lasting } from '../support/lasting';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { inTime, slow } from '../support/slow';

/** What becomes of children while `replace` has put other timers into the place of the global ones. */
function outcomes(replace: string): unknown {
  const { wait } = lasting();
  return evaluate(`
    const { clone, run } = nsclone;
    const { once } = require('node:events');
    const { setTimeout: trueTimeout } = globalThis;
    const { setImmediate: inTurn } = globalThis;
    ${replace}
    const told = {};
    const settle = async (name, promise) => {
      told[name] = await Promise.race([promise, new Promise((resolve) => trueTimeout(resolve, slow(20_000), 'late'))]);
    };
    /** How a child ends for which a time is set that passes when it has come so far; and whether half of it had passed. */
    const passing = (start, far) => inTime(async (limit) => {
      let early = true;
      trueTimeout(() => { early = false; }, limit / 2);
      const { code, signal, endedBy } = await start(limit);
      return { code, signal, endedBy, early };
    }, far);
    const exited = async (start) => (await start).exited;
    await settle('run()', run('/bin/sh', ['-c', 'echo out']).then(({ code, stdout }) => ({ code, stdout })));
    const child = await clone('/bin/sh', ['-c', 'exit 4'], { stdio: 'ignore' });
    const events = Promise.all(['spawn', 'exit', 'close'].map((event) => once(child, event))).then(() => 'all');
    await settle('exited', child.exited.then(({ code }) => code));
    await settle('events', events);
    const wait = ['-c', ${JSON.stringify(wait)}];
    const sleeper = (options) => exited(clone('/bin/sh', wait, { stdio: 'ignore', ...options }));
    await settle('timeout', passing((timeout) => sleeper({ timeout })));
    await settle('signal', sleeper({ signal: AbortSignal.abort() }).catch(({ name }) => name));
    await settle('timeout of run()', passing((timeout) => run('/bin/sh', wait, { timeout })));
    // A grandchild holds its output.
    const leaving = ['-c', wait[1] + ' & exit 0'];
    await settle('patience of run()', passing((timeout) => run('/bin/sh', leaving, { timeout }), ({ code }) => code === 0));
    const deaf = ['-c', 'trap "" TERM; ' + wait[1]];
    const patient = (timeout) => exited(clone('/bin/sh', deaf, { stdio: 'ignore', timeout, killGrace: timeout }));
    await settle('killGrace', passing(patient, ({ signal }) => signal === 'SIGKILL'));
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
  timeout: { code: null, signal: 'SIGTERM', endedBy: 'timeout', early: false },
  signal: 'AbortError',
  'timeout of run()': { code: null, signal: 'SIGTERM', endedBy: 'timeout', early: false },
  'patience of run()': { code: 0, signal: null, endedBy: 'timeout', early: false },
  killGrace: { code: null, signal: 'SIGKILL', endedBy: 'timeout', early: false },
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
  const trueTimeout = globalThis.setTimeout;
  const late = (): Promise<string> => new Promise((resolve) => trueTimeout(resolve, slow(20_000), 'late').unref());
  afterEach(() => jest.useRealTimers());

  test.each([
    ['modern', {}],
    ['legacy', { legacyFakeTimers: true } as const],
  ])('%s: run() and `exited` settle, and a timeout ends', async (_, config) => {
    jest.useFakeTimers(config);
    expect(await Promise.race([run('/bin/echo', ['out']).then(({ stdout }) => stdout), late()])).toBe('out\n');
    const child = await clone('/bin/sh', ['-c', 'exit 4'], { stdio: 'ignore' });
    expect(await Promise.race([child.exited, late()])).toMatchObject({ code: 4 });
    const sleeper = await inTime((timeout) => clone('/bin/sh', ['-c', lasting().wait], { stdio: 'ignore', timeout }));
    const end = await Promise.race([sleeper.exited, late()]);
    sleeper.kill('SIGKILL');
    expect(end).toMatchObject({ signal: 'SIGTERM', endedBy: 'timeout' });
  });
});
