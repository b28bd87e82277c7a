// run(): a command whose output is collected.
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';

import { expectTypeOf } from 'expect-type';

import { Flags, MaxBufferError, type Plan, plan, run, type RunOptions, type RunResult } from '../lib';
import { rootOnly } from './support/capability';
import { owned } from './support/inside';
import { lasting } from './support/lasting';
import { leavesNothing } from './support/leftovers';
import { rootArguments, withBecomesRoot } from './support/becomes-root';
import { asUser, evaluate, runScript } from './support/own-process';
import { inTime, slow, until } from './support/slow';

leavesNothing();

const sh = (script: string, options = {}): Promise<RunResult<string>> => run('/bin/sh', ['-c', script], options);

describe('run collects', () => {
  test('what the command writes to stdout and to stderr', async () => {
    expect(await sh('echo out; echo problem >&2')).toMatchObject({
      code: 0,
      signal: null,
      stdout: 'out\n',
      stderr: 'problem\n',
    });
  });
  test('nothing where nothing is written', async () => {
    expect(await run('/bin/true')).toMatchObject({ stdout: '', stderr: '' });
    expect(await run('/bin/true', { encoding: 'buffer' })).toMatchObject({ stdout: Buffer.alloc(0) });
    expect(await run('/bin/true', { encoding: null })).toMatchObject({ stdout: Buffer.alloc(0) });
  });
  test('more than a pipe holds, of both at once', async () => {
    const { stdout, stderr } = await sh('head -c 500000 /dev/zero; head -c 400000 /dev/zero >&2');
    expect([stdout.length, stderr.length]).toEqual([500_000, 400_000]);
  });
  test('bytes as they are', async () => {
    const { stdout } = await run('/usr/bin/printf', [String.raw`\377\000\303\244`], { encoding: 'buffer' });
    expect(stdout).toEqual(Buffer.from([0xff, 0, 0xc3, 0xa4]));
  });
  test.each([
    ['utf8', 'hä'],
    ['latin1', 'hÃ¤'],
    ['hex', '68c3a4'],
    ['base64', 'aMOk'],
    ['utf-8', 'hä'],
  ] as const)('text as %s', async (encoding, expected) => {
    expect((await run('/usr/bin/printf', ['hä'], { encoding })).stdout).toBe(expected);
  });
  test('a character that two writes make up', async () => {
    expect((await sh(String.raw`printf '\303'; sleep 0.02; printf '\244'`)).stdout).toBe('ä');
  });
  test('what a grandchild writes after the end of the command', async () => {
    expect((await sh('(sleep 0.1; echo late) & echo soon')).stdout).toBe('soon\nlate\n');
  });
  test('nothing of descriptors that are no pipes', async () => {
    expect(await sh('echo x; echo y >&2', { stdio: ['pipe', 'ignore', 'pipe'] })).toMatchObject({
      stdout: '',
      stderr: 'y\n',
    });
  });
});

describe('run resolves however the command ends:', () => {
  test('with a code', async () => {
    expect(await sh('echo x; exit 7')).toMatchObject({ code: 7, signal: null, stdout: 'x\n', coreDumped: false });
  });
  test('by a signal', async () => {
    expect(await sh('echo x; kill -KILL $$')).toMatchObject({ code: null, signal: 'SIGKILL', stdout: 'x\n' });
  });
  test('with what it used', async () => {
    const { resourceUsage, ...result } = await sh('true');
    expect(resourceUsage!.minorPageFault).toBeGreaterThan(0);
    expect(result).toEqual({ code: 0, signal: null, coreDumped: false, stdout: '', stderr: '' });
  });
  test('in namespaces of its own', async () => {
    const options = { ...owned(Flags.NEWUTS | Flags.NEWPID), hostname: 'box' };
    expect((await sh('uname -n; echo $$; id -u', options)).stdout).toBe('box\n1\n0\n');
  });
  test.each([
    ['run(command)', () => run('/bin/pwd')],
    ['run(command, options)', () => run('/bin/pwd', { cwd: '/' })],
    ['run(command, args)', () => run('/bin/pwd', [])],
    ['run(command, undefined, options)', () => run('/bin/pwd', undefined, { cwd: '/' })],
    ['run(command, args, undefined)', () => run('/bin/pwd', ['-P'], undefined)],
    ['run(command, null, options)', () => run('/bin/pwd', null as never, { cwd: '/' })],
  ])('as %s', async (_name, start) => {
    expect(await start()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\//) });
  });
});

describe('run rejects', () => {
  test('where the command cannot be started, as clone does', async () => {
    await expect(run('/nowhere')).rejects.toMatchObject({ code: 'ENOENT', step: 'command', syscall: 'execve' });
    await expect(run('/bin/true', { hostname: 'box' })).rejects.toMatchObject({ option: 'hostname' });
  });
  test.each([
    ['input', 5],
    ['input', null],
    ['input', ['x']],
    ['encoding', 'utf9'],
    ['encoding', 5],
    ['maxBuffer', -1],
    ['maxBuffer', 1.5],
    ['maxBuffer', '1'],
    ['maxBuffer', NaN],
    ['timeout', 5n],
    ['timeout', Symbol('soon')],
    ['signal', {}],
  ])('%s: %p', async (option, value) => {
    await expect(run('/bin/true', { [option]: value } as never)).rejects.toMatchObject({ option });
  });
  test('options that are none, and names that no option has', async () => {
    await expect(run('/bin/true', [], 5 as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
      option: 'options',
    });
    await expect(run('/bin/true', [], new Map() as never)).rejects.toMatchObject({ option: 'options' });
    await expect(run('/bin/true', { maxbuffer: 5 } as never)).rejects.toMatchObject({ option: 'maxbuffer' });
    await expect(run(5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE', option: 'command' });
  });
  test('hold, for nobody could call start()', async () => {
    await expect(run('/bin/true', { hold: true } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      option: 'hold',
    });
  });
  test('input that the command could not read', async () => {
    for (const stdio of ['ignore', 'inherit', ['ignore', 'pipe', 'pipe'], [0]]) {
      await expect(run('/bin/cat', { input: 'x', stdio } as never)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
        option: 'input',
      });
    }
  });
  test('never by a throw', () => {
    const promises = [run(undefined as never), run('/bin/true', { input: 5 } as never)];
    return expect(Promise.allSettled(promises)).resolves.toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
  });
});

describe('input', () => {
  test('is at its end without any', async () => {
    expect((await run('/bin/cat')).stdout).toBe('');
    expect((await run('/bin/cat', { stdio: 'pipe' })).stdout).toBe('');
  });
  test('is a string, in UTF-8', async () => {
    expect((await run('/bin/cat', { input: 'hä\n' })).stdout).toBe('hä\n');
    expect((await run('/bin/cat', { input: '' })).stdout).toBe('');
  });
  test('is bytes', async () => {
    const bytes = Uint8Array.of(0, 255, 10);
    expect((await run('/bin/cat', { input: bytes, encoding: 'buffer' })).stdout).toEqual(Buffer.from(bytes));
    const numbers = Uint16Array.of(1, 2, 3, 0x6261);
    for (const input of [numbers.subarray(3), new DataView(numbers.buffer, 6)])
      expect((await run('/bin/cat', { input })).stdout).toBe('ab');
  });
  test('is as large as memory is', async () => {
    const { stdout } = await run('/usr/bin/wc', ['-c'], { input: Buffer.alloc(5_000_000, 'x') });
    expect(stdout.trim()).toBe('5000000');
  });
  test('goes to a socket too', async () => {
    expect((await run('/bin/cat', { input: 'x', stdio: ['socket', 'pipe', 'pipe'] })).stdout).toBe('x');
    expect((await run('/bin/cat', { input: 'x', stdio: [null, 'pipe', 'pipe'] })).stdout).toBe('x');
  });
  test('is a stream', async () => {
    expect((await run('/bin/cat', { input: Readable.from(['one ', 'two ', 'three']) })).stdout).toBe('one two three');
  });
  test('is a stream of a file, that is closed at the end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    writeFileSync(join(folder, 'file'), 'x'.repeat(200_000));
    const input = createReadStream(join(folder, 'file'));
    expect((await run('/usr/bin/wc', ['-c'], { input })).stdout.trim()).toBe('200000');
    rmSync(folder, { recursive: true });
  });
  test('is a stream that is destroyed where nothing could be started', async () => {
    for (const [command, options] of [
      ['/no/such', {}],
      ['/bin/true', { signal: AbortSignal.abort() }],
      ['/bin/true', { hostname: 'refused' }],
      ['/bin/true', { maxBuffer: -1 }],
      ['/bin/true', { stdio: 'ignore' }],
    ] as const) {
      const input = createReadStream('/proc/version');
      await expect(run(command, [], { ...options, input })).rejects.toBeInstanceOf(Error);
      expect(input.destroyed).toBe(true);
    }
  });
  test('is a stream that has ended already', async () => {
    const input = Readable.from(['x']);
    for await (const chunk of input) expect(chunk).toBe('x');
    expect((await run('/bin/cat', { input })).stdout).toBe('');
  });
  test('that the command does not read is no error', async () => {
    for (const input of ['x'.repeat(1_000_000), Readable.from(['x'.repeat(1_000_000), 'y'])]) {
      expect(await run('/bin/true', { input })).toMatchObject({ code: 0 });
      expect(await run('/usr/bin/head', ['-c', '3'], { input: 'abcdef'.repeat(100_000) })).toMatchObject({
        stdout: 'abc',
      });
    }
  });
  test('that the command does not read to its end is destroyed: a file would stay open', async () => {
    let destroyed = false;
    const input = new Readable({
      read() {
        this.push('x'.repeat(10_000));
      },
      destroy(error, callback) {
        destroyed = true;
        callback(error);
      },
    });
    expect(await run('/usr/bin/head', ['-c', '3'], { input })).toMatchObject({ code: 0, stdout: 'xxx' });
    await until(() => destroyed);
  });
  test('that breaks kills the command: half of it must not pass for all of it', async () => {
    for (const [reason, expected] of [
      [new Error('the disk is gone'), { message: 'the disk is gone' }],
      [undefined, { code: 'ERR_STREAM_PREMATURE_CLOSE' }],
    ] as const) {
      const input = new PassThrough();
      input.write('half');
      const [result] = await Promise.allSettled([
        run('/bin/cat', { input }),
        until(() => input.readableLength === 0).then(() => input.destroy(reason)),
      ]);
      expect(result).toMatchObject({ status: 'rejected', reason: expected });
    }
  });
  test('of which a chunk is neither text nor bytes kills the command, and is told by the promise', async () => {
    for (const bad of [1, {}, undefined, Symbol('chunk')]) {
      const input = Readable.from(['a', bad]);
      await expect(run('/bin/cat', { input })).rejects.toMatchObject({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
        option: 'input',
      });
      expect(input.destroyed).toBe(true);
    }
    const own = new Error('mine');
    const input = Readable.from(
      (async function* () {
        yield 'a';
        throw own;
      })(),
    );
    await expect(run('/bin/cat', { input })).rejects.toBe(own);
    const bytes = [Uint8Array.of(104), Buffer.from('i')];
    expect((await run('/bin/cat', { input: Readable.from(bytes) })).stdout).toBe('hi');
  });
  test('that a realm of its own has made', async () => {
    const bytes = runInNewContext('new Uint8Array([104, 105])') as Uint8Array;
    expect((await run('/bin/cat', { input: bytes })).stdout).toBe('hi');
  });
  test('a stream that fails before there is a child to read it', async () => {
    const missing = createReadStream('/no/such/file');
    await expect(run('/bin/cat', { input: missing })).rejects.toMatchObject({ code: 'ENOENT', path: '/no/such/file' });
    const broken = new PassThrough().on('error', () => {});
    broken.destroy(new Error('broken'));
    await new Promise(setImmediate);
    await expect(run('/bin/cat', { input: broken })).rejects.toThrow('broken');
    const both = createReadStream('/no/such/file');
    await expect(run('/no/such/command', { input: both })).rejects.toMatchObject({ syscall: 'execve' });
  });
  test('that breaks after the command has ended is no error', async () => {
    const input = new PassThrough();
    const closed = new Promise((resolve) => input.once('close', resolve));
    expect(await run('/bin/true', { input })).toMatchObject({ code: 0 });
    input.destroy(new Error('late'));
    await closed;
  });
});

describe('maxBuffer', () => {
  test('is the most that is taken, of each', async () => {
    expect(await sh('printf 12345; printf 1234 >&2', { maxBuffer: 5 })).toMatchObject({
      stdout: '12345',
      stderr: '1234',
    });
  });
  test.each(['stdout', 'stderr'] as const)('is an error beyond that, with what there was: %s', async (name) => {
    const redirect = name === 'stderr' ? '>&2' : '';
    const error: unknown = await sh(`printf 123456 ${redirect}; exec sleep 1000`, { maxBuffer: 5 }).catch((e) => e);
    expect(error).toBeInstanceOf(MaxBufferError);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({
      name: 'MaxBufferError',
      code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER',
      message: `${name} maxBuffer length exceeded`,
      signal: 'SIGKILL',
      stdout: '',
      stderr: '',
      [name]: '12345',
    });
  });
  test('is 1 MiB where it is not given', async () => {
    expect((await sh('head -c 1048576 /dev/zero')).stdout).toHaveLength(1_048_576);
    await expect(sh('head -c 1048577 /dev/zero')).rejects.toMatchObject({ code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' });
  });
  test('is 0, or none', async () => {
    expect(await sh('true', { maxBuffer: 0 })).toMatchObject({ stdout: '' });
    await expect(sh('echo', { maxBuffer: 0 })).rejects.toMatchObject({ stdout: '' });
    expect((await sh('head -c 3000000 /dev/zero', { maxBuffer: Infinity })).stdout).toHaveLength(3_000_000);
  });
  test('keeps bytes as bytes', async () => {
    await expect(sh('printf 123', { maxBuffer: 2, encoding: 'buffer' })).rejects.toMatchObject({
      stdout: Buffer.from('12'),
    });
  });
  test('ends a command that writes for ever, and does not wait for its children', async () => {
    const tooMuch = { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' };
    await expect(run('/usr/bin/yes', { maxBuffer: 1000 })).rejects.toMatchObject(tooMuch);
    const script = `${lasting().wait} & head -c 2000 /dev/zero; wait`;
    await expect(sh(script, { maxBuffer: 1000 })).rejects.toMatchObject(tooMuch);
  });
});

describe('an end from here', () => {
  test('by timeout is told, with the output so far', async () => {
    const start = (timeout: number): Promise<RunResult<string>> => sh('echo before; exec sleep 1000', { timeout });
    const result = await inTime(start, ({ stdout }) => stdout !== '');
    expect(result).toMatchObject({ code: null, signal: 'SIGTERM', endedBy: 'timeout', stdout: 'before\n' });
  });
  test('by a signal is told, with the output so far', async () => {
    const start = (milliseconds: number): Promise<RunResult<string>> => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), milliseconds);
      return sh('echo before; exec sleep 1000', { signal: controller.signal });
    };
    const result = await inTime(start, ({ stdout }) => stdout !== '');
    expect(result).toMatchObject({ code: null, signal: 'SIGTERM', endedBy: 'abort', stdout: 'before\n' });
  });
  test('that comes before the start is a rejection', async () => {
    await expect(sh('true', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' });
  });
  test.each<[string, (milliseconds: number) => RunOptions]>([
    ['timeout', (timeout) => ({ timeout })],
    ['abort', (milliseconds) => ({ signal: AbortSignal.timeout(milliseconds) })],
  ])('by %s when the command is over, and a child of its own holds the output', async (endedBy, options) => {
    const script = `echo out; echo err >&2; ${lasting().wait} & exit 4`;
    const result = await inTime(
      (milliseconds) => sh(script, options(milliseconds)),
      ({ code }) => code !== null,
    );
    expect(result).toMatchObject({ code: 4, signal: null, endedBy, stdout: 'out\n', stderr: 'err\n' });
  });
  test('is not told where the output came to its end in time', async () => {
    const long = slow(20_000);
    const result = await sh('(sleep 0.1; echo late) & exit 0', { timeout: long, signal: AbortSignal.timeout(long) });
    expect(result).toMatchObject({ code: 0, stdout: 'late\n' });
    expect(result).not.toHaveProperty('endedBy');
  });
  test('never comes of a timeout of 0, as in child_process', async () => {
    expect(await sh('sleep 0.05', { timeout: 0 })).toMatchObject({ code: 0 });
  });
  test('is not told where the command was faster', async () => {
    expect(await sh('true', { timeout: slow(20_000) })).not.toHaveProperty('endedBy');
  });
  test('does not wait for children of the command that hold its output', async () => {
    const script = `echo before; ${lasting().wait} & wait`;
    const result = await inTime(
      (timeout) => sh(script, { timeout }),
      ({ stdout }) => stdout !== '',
    );
    expect(result).toMatchObject({ endedBy: 'timeout', stdout: 'before\n' });
  });
  test('does not lose what the pipes hold', async () => {
    const script = 'trap "head -c 50000 /dev/zero; exit 3" TERM; echo -n ready >&2; while :; do sleep 0.01; done';
    const result = await inTime(
      (timeout) => sh(script, { timeout }),
      ({ stderr }) => stderr !== '',
    );
    expect(result).toMatchObject({ code: 3, signal: null, endedBy: 'timeout', stderr: 'ready' });
    expect(result.stdout).toHaveLength(50_000);
  });
});

describe('a command that has become root by itself, and may not be ended,', () => {
  /** What run() in a Node of an ordinary user rejects with. The command ends once nobody reads its output. */
  const refusalOf = (options: string): Record<string, unknown> =>
    withBecomesRoot((setpriv) => {
      const script = 'echo problem >&2; while echo out; do sleep 0.02; done';
      const args = [...rootArguments, '/bin/sh', '-c', script];
      return evaluate(
        `const fails = (error) => ({ ...error, message: error.message, name: error.name, cause: error.cause?.message });
         return nsclone.run(${JSON.stringify(setpriv)}, ${JSON.stringify(args)}, ${options}).catch(fails);`,
        asUser,
      );
    });
  /** With a limit that comes when it has become somebody else. */
  const whenOther = (options: (limit: number) => string): ReturnType<typeof refusalOf> => {
    for (let limit = 300; ; limit *= 3) {
      const found = refusalOf(options(limit));
      if ((found['stdout'] !== '' && found['code'] === 'EPERM') || limit > slow(5000)) return found;
    }
  };
  const hint = 'the program runs on: it has other ids than it was started with';
  const refused = {
    name: 'SyscallError',
    code: 'EPERM',
    errno: -1,
    syscall: 'pidfd_send_signal',
    hint,
    stdout: expect.stringMatching(/^(out\n)+$/),
    stderr: 'problem\n',
  };
  rootOnly('is told by the rejection, with the output so far: of a timeout', () => {
    const message = `EPERM: operation not permitted, pidfd_send_signal (timeout): ${hint}`;
    expect(whenOther((limit) => `{ timeout: ${limit} }`)).toEqual({ ...refused, option: 'timeout', message });
  });
  rootOnly('of a signal', () => {
    const found = whenOther((limit) => `{ signal: AbortSignal.timeout(${limit}) }`);
    expect(found).toMatchObject({ ...refused, option: 'signal' });
  });
  rootOnly('of more than maxBuffer, which is the cause', () => {
    const found = refusalOf('{ maxBuffer: 12 }');
    expect(found).toMatchObject({ ...refused, option: 'maxBuffer', stdout: 'out\nout\nout\n' });
    expect(found.cause).toBe('stdout maxBuffer length exceeded');
  });
});

test('fifty at once each get their own output', async () => {
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) => run('/bin/cat', { input: `${index}`.repeat(1000) })),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(
    Array.from({ length: 50 }, (_, index) => `${index}`.repeat(1000)),
  );
});

test('Node ends when the last command has, and says nothing', () => {
  const { status, stdout, stderr } = runScript(
    `const { stdout } = await nsclone.run('sh', ['-c', 'echo done'], { timeout: slow(60_000), killGrace: slow(60_000) });
     console.log(stdout.trim());`,
  );
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'done\n', stderr: '' });
});

test('an error of the caller’s own stream is never uncaught', () => {
  expect(
    evaluate<string>(
      `const { Readable } = require('node:stream');
       const input = new Readable({ read() { this.destroy(new Error('broken')); } });
       return nsclone.run('cat', [], { input }).then(() => 'resolved', (error) => error.message);`,
    ),
  ).toBe('broken');
});

describe('a plan', () => {
  const made = plan('/bin/sh', ['-c', 'cat; echo $A; exit 3'], { env: { A: 'planned' }, timeout: slow(60_000) });

  test('is run as often as wanted', async () => {
    for (const input of ['one\n', 'two\n'])
      expect(await run(made, { input })).toMatchObject({ code: 3, stdout: `${input}planned\n` });
  });
  test('with what is said of a start', async () => {
    const { stdout } = await run(made, { env: { A: 'said' }, encoding: 'buffer', input: '' });
    expect(stdout).toEqual(Buffer.from('said\n'));
    await expect(run(made, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' });
    await expect(run(made, { maxBuffer: 3, input: '' })).rejects.toThrow(/maxBuffer/);
  });
  test('has its own `timeout` for whoever holds the output open', async () => {
    const holds = (timeout: number): Plan => plan('/bin/sh', ['-c', 'sleep 40 & echo $!'], { timeout });
    const { endedBy, stdout } = await inTime(
      (timeout) => run(holds(timeout)),
      (result) => result.stdout !== '',
    );
    expect(endedBy).toBe('timeout');
    process.kill(Number(stdout), 'SIGKILL');
  });
  test('has neither arguments nor options of a command', async () => {
    for (const options of [{ hostname: 'x' }, { killTree: true }, { cwd: '/' }])
      await expect(run(made, options as never)).rejects.toMatchObject({ option: Object.keys(options)[0] });
    await expect(run(made, ['x'] as never)).rejects.toThrow(/options.*must be a plain object/);
  });
  test('that holds its child, has a terminal, or no pipe for the input, cannot be run', async () => {
    await expect(run(plan('/bin/true', { hold: true }))).rejects.toMatchObject({ option: 'hold' });
    await expect(run(plan('/bin/true', { pty: true }))).rejects.toMatchObject({ option: 'pty' });
    const ignoring = plan('/bin/true', { stdio: 'ignore' });
    await expect(run(ignoring, { input: 'x' })).rejects.toMatchObject({ option: 'input' });
    expect(await run(ignoring)).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });
});

test('types: Buffers for encoding buffer, strings otherwise', () => {
  const forms = [
    (): Promise<RunResult<string>> => run('x'),
    (): Promise<RunResult<string>> => run('x', ['y'], { encoding: 'hex' }),
    (): Promise<RunResult<Buffer>> => run('x', { encoding: 'buffer' }),
    (): Promise<RunResult<Buffer>> => run('x', ['y'], { encoding: 'buffer' }),
    (): Promise<RunResult<Buffer>> => run('x', { encoding: null }),
  ] as const;
  expectTypeOf(forms[0]).returns.resolves.toHaveProperty('stdout').toEqualTypeOf<string>();
  expectTypeOf(forms[3]).returns.resolves.toHaveProperty('stdout').toEqualTypeOf<Buffer>();
  // @ts-expect-error: nobody could call start()
  void (() => run('x', { hold: true }));
});
