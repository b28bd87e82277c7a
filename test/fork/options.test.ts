// Options of fork(): how Node is started, what its descriptors are, and what is refused.
import { type ChildProcess, fork as forkByNode } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';

import { clone, Flags, fork, type ForkOptions } from '../../lib';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { evaluate, root, runScript } from '../support/own-process';
import { refusal } from '../support/refusal';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

const report = `process.send({
  args: process.argv.slice(2), execArgv: process.execArgv, cwd: process.cwd(), env: process.env, host: require('node:os').hostname(),
  pid: process.pid, uid: process.getuid(), terminal: [0, 1, 2].map((fd) => require('node:tty').isatty(fd)),
});`;

interface Report {
  readonly args: string[];
  readonly execArgv: string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly host: string;
  readonly pid: number;
  readonly uid: number;
  readonly terminal: boolean[];
}

/** The first message, once the child has ended by itself. */
async function messageOf(starting: ChildProcess | Promise<ChildProcess>): Promise<Report> {
  const child = await starting;
  const [[message]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [[Report], unknown];
  return message;
}

test('the module gets its arguments, and Node its own, as with child_process', async () => {
  const file = folder.file('module.js', report);
  for (const path of [file, pathToFileURL(file)]) {
    const options = { execArgv: ['--no-warnings'], env: { ONE: '1' } };
    const [ours, theirs] = await Promise.all([
      messageOf(fork(path, ['a', '-b', ''], options)),
      messageOf(forkByNode(path, ['a', '-b', ''], options)),
    ]);
    expect({ ...ours, pid: 0 }).toEqual({ ...theirs, pid: 0 });
    expect(ours.args).toEqual(['a', '-b', '']);
  }
});

test('a relative module starts at the working directory of the child, as with child_process', async () => {
  folder.file('inner/module.js', report);
  const options = { cwd: folder.at('inner') };
  const [ours, theirs] = await Promise.all([
    messageOf(fork('./module.js', options)),
    messageOf(forkByNode('./module.js', options)),
  ]);
  expect([ours.cwd, theirs.cwd]).toEqual([options.cwd, options.cwd]);
});

test('namespaces, ids and a host name are its own; our environment is inherited, and nothing of the channel left in it', async () => {
  const file = folder.file('module.js', report);
  const child = await messageOf(
    fork(file, { ...owned(Flags.NEWPID | Flags.NEWUTS | Flags.NEWNET), hostname: 'box', init: true }),
  );
  expect([child.host, child.pid, child.uid]).toEqual(['box', 2, 0]);
  expect(hostname()).not.toBe('box');
  expect(child.env['PATH']).toBe(process.env['PATH']);
  expect(Object.keys(child.env).filter((name) => name.startsWith('NODE_CHANNEL'))).toEqual([]);
});

test('stdio overrides silent', async () => {
  const file = folder.file('module.js', `process.send('sent');`);
  const child = await fork(file, [], { silent: true, stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
  expect([child.stdin, child.stdout === null, child.stderr]).toEqual([null, false, null]);
  await once(child, 'message');
  await child.exited;
});

test('silent makes pipes; the channel may lie anywhere', async () => {
  const file = folder.file('module.js', `console.log('out'); console.error('err'); process.send('sent');`);
  for (const options of [
    { silent: true },
    { stdio: 'pipe' },
    { stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe', 'ipc'] },
    { stdio: ['ipc', 'pipe', 'pipe'] },
    { silent: true, stdio: [null, 'pipe', 'overlapped', 'ipc'] },
    { silent: false, stdio: 'pipe' },
  ] as const satisfies ForkOptions[]) {
    const child = await fork(file, [], options as ForkOptions);
    const [[message], out, error] = await Promise.all([once(child, 'message'), read(child.stdout), read(child.stderr)]);
    expect([message, out, error]).toEqual(['sent', 'out\n', 'err\n']);
    const entries: readonly unknown[] = 'stdio' in options && Array.isArray(options.stdio) ? options.stdio : [];
    expect(child.stdio[entries.includes('ipc') ? entries.indexOf('ipc') : 3]).toBeNull();
    await child.exited;
  }
});

test('a terminal takes the place of stdio, beside the channel', async () => {
  const child = await fork(folder.file('module.js', report), { pty: true });
  expect((await messageOf(child)).terminal).toEqual([true, true, true]);
  child.pty.destroy();
});

test('a held module hears what was sent before start()', async () => {
  const source = `process.on('message', (message) => { process.send(message + 1); process.disconnect(); });`;
  const child = await fork(folder.file('module.js', source), { ...owned(Flags.NEWUTS), hold: true });
  const events: string[] = [];
  for (const event of ['spawn', 'message', 'disconnect', 'exit', 'close']) child.on(event, () => events.push(event));
  expect([child.connected, child.send(41)]).toEqual([true, true]);
  const messages = once(child, 'message');
  await child.start();
  expect(((await messages) as unknown[])[0]).toBe(42);
  await once(child, 'close');
  expect(events).toEqual(['spawn', 'message', 'disconnect', 'exit', 'close']);
});

test('a held module that is never started ends its channel too', async () => {
  const child = await fork(folder.file('module.js', report), { ...owned(Flags.NEWUTS), hold: true });
  child.send('x');
  child.kill();
  await Promise.all([once(child, 'disconnect'), once(child, 'close')]);
  expect(child.connected).toBe(false);
});

test('a failure to start is a rejection, and leaves nothing', async () => {
  await expect(fork('x.js', { execPath: '/no/such/node' })).rejects.toMatchObject({
    code: 'ENOENT',
    syscall: 'execve',
  });
  await expect(fork('x.js', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' });
});

test('timeout ends a module, and its channel', async () => {
  const file = folder.file('module.js', `process.on('message', () => {}); process.send('ready');`);
  const controller = new AbortController();
  const child = await fork(file, { signal: controller.signal });
  child.once('message', () => controller.abort());
  await once(child, 'disconnect');
  expect(await child.exited).toMatchObject({ endedBy: 'abort', signal: 'SIGTERM' });
});

test.each([
  [
    'a module that is no path',
    [5],
    'ERR_INVALID_ARG_TYPE',
    'modulePath',
    /"modulePath" argument must be of type string or an instance of URL/,
  ],
  ['an empty module', [''], 'ERR_INVALID_ARG_VALUE', 'modulePath', ''],
  [
    'a URL of the web',
    [new URL('https://a.invalid/')],
    'ERR_INVALID_ARG_VALUE',
    'modulePath',
    'must be a path or a file: URL',
  ],
  ['arguments that are no strings', ['x', [1]], 'ERR_INVALID_ARG_TYPE', 'args[0]', ''],
  ['options that are none', ['x', [], 5], 'ERR_INVALID_ARG_TYPE', 'options', ''],
  ['an execPath that is none', ['x', { execPath: '' }], 'ERR_INVALID_ARG_VALUE', 'execPath', ''],
  ['execArgv that is no list', ['x', { execArgv: '-x' }], 'ERR_INVALID_ARG_TYPE', 'execArgv', ''],
  ['a null byte', ['x', { execArgv: ['a\0'] }], 'ERR_INVALID_ARG_VALUE', 'execArgv[0]', ''],
  [
    'another serialization',
    ['x', { serialization: 'xml' }],
    'ERR_INVALID_ARG_VALUE',
    'serialization',
    "must be one of: 'json', 'advanced'",
  ],
  ['silent that is no boolean', ['x', { silent: 1 }], 'ERR_INVALID_ARG_TYPE', 'silent', ''],
  ['silent beside a terminal', ['x', { silent: true, pty: true }], 'ERR_INVALID_ARG_VALUE', 'silent', ''],
  ['stdio beside a terminal', ['x', { stdio: 'pipe', pty: true }], 'ERR_INVALID_ARG_VALUE', 'pty', ''],
  [
    'no channel',
    ['x', { stdio: ['pipe', 'pipe', 'pipe'] }],
    'ERR_INVALID_ARG_VALUE',
    'stdio',
    "must have an entry 'ipc'",
  ],
  ['two channels', ['x', { stdio: ['ipc', 'ipc'] }], 'ERR_INVALID_ARG_VALUE', 'stdio', "one entry 'ipc' only"],
  ['a word that is none', ['x', { stdio: 'ipc' }], 'ERR_INVALID_ARG_VALUE', 'stdio', 'must be one of'],
  [
    'the number of the channel',
    ['x', { env: { NODE_CHANNEL_FD: '7' } }],
    'ERR_INVALID_ARG_VALUE',
    'env.NODE_CHANNEL_FD',
    'cannot be given',
  ],
  [
    'the mode of the channel',
    ['x', { env: { NODE_CHANNEL_SERIALIZATION_MODE: 'json' } }],
    'ERR_INVALID_ARG_VALUE',
    'env.NODE_CHANNEL_SERIALIZATION_MODE',
    '',
  ],
  ['an environment that is none', ['x', { env: null }], 'ERR_INVALID_ARG_TYPE', 'env', ''],
  ['a size of nothing', ['x', { maxMessageSize: 0 }], 'ERR_OUT_OF_RANGE', 'maxMessageSize', ''],
  ['a misspelt option', ['x', { execargv: [] }], 'ERR_INVALID_ARG_VALUE', 'execargv', 'did you mean "execArgv"?'],
  [
    'a misspelt option of clone()',
    ['x', { hostnam: 'a' }],
    'ERR_INVALID_ARG_VALUE',
    'hostnam',
    'did you mean "hostname"?',
  ],
  ['an option without its namespace', ['x', { hostname: 'a' }], 'ERR_INVALID_ARG_VALUE', 'hostname', 'Flags.NEWUTS'],
] as const)('%s is refused', async (_, args, code, option, message) => {
  await expect((fork as (...args: unknown[]) => Promise<unknown>)(...args)).rejects.toEqual(
    refusal(code, option, message),
  );
});

test.each(['execPath', 'execArgv', 'serialization', 'silent', 'maxMessageSize'])(
  '%s is no option of clone()',
  async (name) => {
    await expect(clone('true', { [name]: 'x' } as object)).rejects.toEqual(
      refusal('ERR_INVALID_ARG_VALUE', name, 'is an option of fork()'),
    );
  },
);

test("'ipc' is for fork() alone", async () => {
  await expect(clone('true', { stdio: ['pipe', 'pipe', 'pipe', 'ipc' as 'pipe'] })).rejects.toEqual(
    refusal('ERR_INVALID_ARG_VALUE', 'stdio[3]', 'only fork() has a channel'),
  );
});

describe('our own execArgv', () => {
  test.each([
    ['-e', (script: string) => ['--no-warnings', '-e', script]],
    ['--eval=', (script: string) => ['--no-warnings', `--eval=${script}`]],
    ['-p -e', (script: string) => ['-p', '--no-warnings', '-e', script]],
    ['-pe', (script: string) => ['--no-warnings', '-pe', script]],
  ])('is taken without a script given by %s', (_, argvOf) => {
    const file = folder.file('module.js', 'process.send(process.execArgv)');
    const script = `require(${JSON.stringify(root)}).fork(${JSON.stringify(file)}).then((child) => child.on('message', (m) => console.log('found', JSON.stringify(m)))); 0`;
    const { stdout } = process
      .getBuiltinModule('node:child_process')
      .spawnSync(process.execPath, argvOf(script), { encoding: 'utf8' });
    expect(stdout).toContain('found ["--no-warnings"]');
  });
});

describe('our process', () => {
  const waiting = (): string =>
    JSON.stringify(folder.file('module.js', `process.on('message', () => {}); process.send(1);`));

  test.each([
    ['is kept alive by the channel', 'child.unref();', 'still there'],
    ['is not, once the channel is let go too', 'child.unref(); child.channel.unref();', 'over'],
    ['is again, when it is taken back', 'child.unref(); child.channel.unref(); child.channel.ref();', 'still there'],
    ['is not, once it is disconnected', 'child.unref(); child.disconnect();', 'over'],
  ])('%s', (_, line, expected) => {
    const { stdout, stderr } = runScript(`
      const child = await nsclone.fork(${waiting()});
      await new Promise((resolve) => child.once('message', resolve));
      ${line}
      process.on('exit', () => { child.kill('SIGKILL'); });
      setTimeout(() => { console.log('still there'); process.exit(); }, slow(${expected === 'over' ? 20_000 : 700})).unref();
      process.on('beforeExit', () => console.log('over'));`);
    expect([stdout.trim(), stderr]).toEqual([expected, '']);
  });

  test('hears in the context of the call, and calls back in that of the send()', () => {
    const file = folder.file(
      'module.js',
      `process.on('message', (m) => { process.send(m); if (m === 'bye') process.disconnect(); }); process.send('hi');`,
    );
    const seen = evaluate(`
      const { AsyncLocalStorage } = require('node:async_hooks');
      const requests = new AsyncLocalStorage();
      const seen = {};
      const note = (name) => (seen[name] ??= []).push(requests.getStore() ?? 'none');
      const child = await requests.run('call', () => nsclone.fork(${JSON.stringify(file)}));
      await requests.run('other', async () => {
        child.on('disconnect', () => note('disconnect'));
        const closed = new Promise((resolve) => child.once('close', resolve));
        child.send('x'.repeat(500_000), () => note('late callback'));
        child.send('bye', () => note('callback'));
        // What comes before is kept, and told when somebody listens.
        await new Promise((resolve) => setTimeout(resolve, 50));
        child.on('message', () => note('message'));
        await closed;
        await until(() => seen.message);
      });
      return Object.fromEntries(Object.entries(seen).map(([name, stores]) => [name, [...new Set(stores)].join()]));`);
    expect(seen).toEqual({ message: 'call', disconnect: 'call', 'late callback': 'other', callback: 'other' });
  });

  test('may be a Worker, whose end is that of the channel', () => {
    const file = folder.file(
      'module.js',
      `const { writeFileSync } = require('node:fs');
       process.on('message', (m) => process.send(m)); process.on('disconnect', () => writeFileSync(${JSON.stringify(folder.at('told'))}, 'disconnect'));`,
    );
    const told = evaluate(`
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(\`
        const { parentPort } = require('node:worker_threads');
        require(${JSON.stringify(root)}).fork(${JSON.stringify(file)}, { detached: true }).then((child) => {
          child.on('message', (message) => parentPort.postMessage(message));
          child.send('there and back');
        });\`, { eval: true });
      const message = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
      await worker.terminate();
      await until(() => fs.existsSync(${JSON.stringify(folder.at('told'))}));
      return message;`);
    expect(told).toBe('there and back');
  });
});
