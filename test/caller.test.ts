// The stack of an error: the caller's, without a frame of the library, also of what fails when the call has returned.
import {
  clone,
  Flags,
  formatFlags,
  Namespace,
  parseFlags,
  plan,
  record,
  run,
  runIn,
  setns,
  setnsSync,
  unshare,
  unshareSync,
} from '../lib';
import { compile, disassemble, type SeccompProfile } from '../lib/seccomp';
import { leavesNothing } from './support/leftovers';
import { runScript } from './support/own-process';

leavesNothing();

/** The functions and lines of a stack, from the top: 'inner caller.test.ts'. */
function framesOf(error: unknown): string[] {
  const [header, ...frames] = String((error as Error).stack).split('\n    at ');
  expect(header).toContain((error as Error).message);
  return frames;
}

/** This file, and nothing of ours before it. */
function expectCaller(error: unknown): void {
  expect(error).toBeInstanceOf(Error);
  expect(framesOf(error)[0]).toContain('caller.test.ts');
  expect(String((error as Error).stack)).not.toMatch(/\/lib\/(?!.*node_modules)/);
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function thrown(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

function closed(): Namespace {
  const namespace = Namespace.current('uts');
  namespace.close();
  return namespace;
}

const bad = { hostnam: 'box' } as object;

describe('what is thrown, and what is refused before there is a child', () => {
  test.each([
    ['plan', () => plan('true', bad)],
    ['unshareSync', () => unshareSync(Flags.NEWUSER)],
    ['setnsSync', () => setnsSync('/nonexistent')],
    ['runIn', () => runIn('/nonexistent', () => {})],
    ['formatFlags', () => formatFlags(0.5)],
    ['parseFlags', () => parseFlags('x')],
    ['Namespace.open', () => Namespace.open('/nonexistent')],
    ['Namespace.open', () => Namespace.open(2 ** 22, 'net')],
    ['Namespace.current', () => Namespace.current('x' as 'net')],
    ['namespace.equals', () => closed().equals(closed())],
    ['namespace.parent', () => closed().parent()],
    ['namespace.owner', () => closed().owner()],
    ['namespace.ownerUid', () => closed().ownerUid()],
    ['namespace.persist', () => closed().persist('/nonexistent')],
    ['compile', () => compile({} as SeccompProfile)],
    ['disassemble', () => disassemble(new Uint8Array(1))],
  ])('%s()', (_, call) => {
    expectCaller(thrown(call));
  });

  test.each([
    ['clone', () => clone('true', bad)],
    ['run', () => run('true', bad)],
    ['unshare', () => unshare(Flags.NEWUSER)],
    ['setns', () => setns('/nonexistent')],
    ['clone(plan)', () => clone(plan('true'), bad)],
    [
      'clone(program)',
      () =>
        clone(
          record(() => {}),
          bad,
        ),
    ],
    ['an aborted clone', () => clone('true', { signal: AbortSignal.abort() })],
  ])('%s()', async (_, call) => {
    expectCaller(await failure(call()));
  });

  test('methods of a child, and of its terminal', async () => {
    const child = await clone('cat', { pty: true });
    expectCaller(thrown(() => child.kill('SIGTREM' as 'SIGTERM')));
    expectCaller(thrown(() => child.namespace('none' as 'net')));
    expectCaller(thrown(() => child.pty.resize(0, 0)));
    child.kill('SIGKILL');
    await child.exited;
    const error = thrown(() => child.namespace('net'));
    expectCaller(error);
    expect(error).toMatchObject({ code: 'ESRCH', path: `/proc/${child.pid}/ns/net`, hint: 'the child has ended' });
    expect(error).not.toHaveProperty('option');
  });

  test('keeps the code in the first line', () => {
    expect((thrown(() => plan('true', bad)) as Error).stack).toMatch(
      /^TypeError \[ERR_INVALID_ARG_VALUE\]: The "hostnam"/,
    );
  });

  test('an error of the caller’s own keeps the stack that it has', async () => {
    const own = new Error('mine');
    const { stack } = own;
    const options = {
      get cwd(): string {
        throw own;
      },
    };
    expect(await failure(clone('true', options))).toBe(own);
    expect(thrown(() => plan('true', options))).toBe(own);
    expect(own.stack).toBe(stack);
  });

  test('an error of a plan that a getter makes is of that plan()', async () => {
    const options = {
      get cwd(): string {
        return String(plan('true', bad));
      },
    };
    expect(framesOf(await failure(clone('true', options)))[0]).toContain('get cwd');
  });
});

describe('what fails when the call has returned', () => {
  test.each([
    ['clone', () => clone('/nonexistent')],
    ['clone(plan)', () => clone(plan('/nonexistent'))],
    ['run', () => run('/nonexistent')],
    ['run with too much output', () => run('yes', { maxBuffer: 1 })],
    ['a recorded call', () => clone(record((c) => void c.chdir('/nonexistent')))],
    [
      'an abort',
      () => clone('true', { hold: true, timeout: 1 }).then((child) => child.exited.then(() => child.start())),
    ],
  ])('%s()', async (_, call) => {
    expectCaller(await failure(call()));
  });

  test('names all who await it, however many calls there were before', async () => {
    const inner = async (): Promise<number> => (await clone('/nonexistent')).pid;
    const outer = async (): Promise<number> => (await inner()) + 1;
    for (let i = 0; i < 20; i++) {
      const [first, second] = framesOf(await failure(outer()));
      expect([first, second]).toEqual([expect.stringContaining('inner'), expect.stringContaining('outer')]);
    }
  });

  test('names who awaits nothing in the first calls, and again after a failure of which nobody was known', () => {
    const { stdout } = runScript(`
      const known = [];
      const start = () => {
        let settle;
        const settled = new Promise((resolve) => (settle = resolve));
        nsclone.clone('/nonexistent').catch((error) => settle(known.push(/^ +at start /m.test(error.stack))));
        return settled;
      };
      await start();
      for (let i = 0; i < 20; i++) await nsclone.run('true');
      for (let i = 0; i < 3; i++) await start();
      console.log(known.join(' '));`);
    expect(stdout.trim()).toBe('true false true true');
  });

  test('an uncaught one shows the call, and no line of ours', () => {
    const { status, stderr } = runScript(`function lineSeven() { nsclone.clone('/nonexistent'); } lineSeven();`);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^SyscallError: ENOENT: .*\n {4}at lineSeven /m);
    expect(stderr).not.toContain('dist/lib');
    expect(stderr.length).toBeLessThan(2000);
  });
});

test('what somebody’s own Error.prepareStackTrace() makes of a stack is left alone', () => {
  const { stdout } = runScript(`
    Error.prepareStackTrace = (error, sites) => sites.map((site) => site.getFunctionName());
    const call = () => nsclone.plan('true', { hostnam: 'box' });
    try { call(); } catch (error) { console.log(error.stack[0]); }`);
  expect(stdout.trim()).toBe('call');
});

test.each(['0', '1', 'Infinity', 'frozen'])('Error.stackTraceLimit may be %s', (limit) => {
  const set = limit === 'frozen' ? 'Object.freeze(Error);' : `Error.stackTraceLimit = ${limit};`;
  const { stdout } = runScript(`${set}
    const call = async () => await nsclone.clone('/nonexistent');
    await call().catch((error) => console.log(error.stack));`);
  const [header, first] = stdout.split('\n');
  expect(header).toMatch(/^SyscallError: ENOENT/);
  if (limit === '0') expect(first).toBe('');
  else expect(first).toMatch(/^ {4}at call /);
});
