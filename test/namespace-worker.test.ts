// NamespaceWorker: its thread is in namespaces before its module runs; all else of it is as of a Worker.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { buildSync } from 'esbuild';

import { Flags, NamespaceWorker } from '../lib';
import { needing, userOnly } from './support/capability';
import { asOwner, evaluate, mayOwn, root, runScript } from './support/own-process';

const owning = needing(mayOwn, 'user namespaces');

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-worker-'));
  writeFileSync(
    join(folder, 'tell.cjs'),
    `const threads = require('node:worker_threads');
     const own = ['require', 'module', 'exports', '__filename', '__dirname'].filter((name) => Object.hasOwn(globalThis, name));
     threads.parentPort.postMessage({ main: require.main === module, isMain: threads.isMainThread, argv: process.argv,
       data: threads.workerData, limits: threads.resourceLimits, execArgv: process.execArgv, env: process.env.X, own,
       filename: __filename, paths: module.paths, cache: Object.keys(require.cache) });`,
  );
  writeFileSync(
    join(folder, 'tell.mjs'),
    `import threads from 'node:worker_threads';
     threads.parentPort.postMessage({ url: import.meta.url, argv: process.argv, data: threads.workerData, execArgv: process.execArgv,
       required: typeof require, moduled: typeof module, strict: this === undefined });`,
  );
  writeFileSync(join(folder, 'namespaces.cjs'), namespaces);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A module that tells where its thread is. */
const namespaces = `const look = (kind) => require('node:fs').readlinkSync('/proc/thread-self/ns/' + kind);
  require('node:worker_threads').parentPort.postMessage(Object.fromEntries(['net', 'uts', 'ipc', 'cgroup', 'mnt'].map((kind) => [kind, look(kind)])));`;

const common = (): string => `
  const { clone, Flags, Namespace, NamespaceWorker, SyscallError } = nsclone;
  const { Worker } = require('node:worker_threads');
  const { once } = require('node:events');
  const folder = ${JSON.stringify(folder)};
  const ask = async (worker) => {
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve).once('error', reject).once('exit', (code) => resolve('exit ' + code));
    });
    await worker.terminate();
    return answer;
  };
  const here = Object.fromEntries(['net', 'uts', 'ipc', 'cgroup', 'mnt'].map((kind) => [kind, fs.readlinkSync('/proc/thread-self/ns/' + kind)]));
  const moved = (there) => Object.keys(here).filter((kind) => here[kind] !== there[kind]);
  const descriptors = () => fs.readdirSync('/proc/self/fd').length;
`;

describe('a NamespaceWorker is as a Worker', () => {
  const forms: [name: string, filename: string, options: string][] = [
    ['of a path', `folder + '/tell.cjs'`, '{}'],
    ['of a relative path', `'./tell.cjs'`, '{}'],
    ['of the path of a module', `folder + '/tell.mjs'`, '{}'],
    ['of a file: URL', `require('node:url').pathToFileURL(folder + '/tell.mjs')`, '{}'],
    [
      'of a data: URL',
      `new URL('data:text/javascript,' + encodeURIComponent(fs.readFileSync(folder + '/tell.mjs')))`,
      '{}',
    ],
    [
      'of a script as text',
      `'require("node:worker_threads").parentPort.postMessage([process.argv, __filename, typeof module, typeof require, (function () { return this === undefined; })()])'`,
      '{ eval: true }',
    ],
    [
      'of a strict script as text',
      `'#!/usr/bin/env node\\n/* */ "use strict"; require("node:worker_threads").parentPort.postMessage([(function () { return this === undefined; })(), new Error().stack.split("\\\\n")[1]])'`,
      '{ eval: true }',
    ],
    [
      'of a script as text with names of its own for what is global',
      `'--> a comment\\n const process = require("node:process"); function Int32Array() {} let Object = 1; require("node:worker_threads").parentPort.postMessage([typeof process, new Int32Array() instanceof Int32Array, Object])'`,
      '{ eval: true }',
    ],
    [
      'of a script as text that imports',
      `'import("node:worker_threads").then(({ parentPort }) => parentPort.postMessage(typeof parentPort))'`,
      '{ eval: true }',
    ],
    [
      'of a module as text with names of its own for what is global',
      `'import process from "node:process"; const Int32Array = 1; import { parentPort } from "node:worker_threads"; parentPort.postMessage([typeof process, Int32Array])'`,
      `{ eval: true, execArgv: ['--input-type=module'] }`,
    ],
    [
      'of a module as text',
      `'import threads from "node:worker_threads"; threads.parentPort.postMessage([import.meta.url, process.argv, typeof require])'`,
      `{ eval: true, execArgv: ['--input-type=module'] }`,
    ],
    [
      'of a script as text where text is a module',
      `'globalThis.process.getBuiltinModule("node:worker_threads").parentPort.postMessage([typeof require, this === undefined])'`,
      `{ eval: true, execArgv: ['--input-type=module'] }`,
    ],
  ];

  test.each(forms)('%s', (_, filename, options) => {
    const [plain, ours] = evaluate<unknown[]>(`${common()}
      process.chdir(folder);
      const options = { workerData: { a: [1] }, argv: ['x'], env: { X: '1' }, resourceLimits: { maxOldGenerationSizeMb: 64 }, ...${options} };
      return [await ask(new Worker(${filename}, options)), await ask(new NamespaceWorker(${filename}, options))];`);
    expect(JSON.stringify(plain)).not.toMatch(/^"exit/);
    expect(ours).toEqual(plain);
  });

  test('with data that is transferred, and inherited arguments of Node', () => {
    const script = `${common()}
      const results = [];
      for (const Class of [Worker, NamespaceWorker]) {
        const data = new ArrayBuffer(8);
        const worker = new Class('require("node:worker_threads").parentPort.postMessage([require("node:worker_threads").workerData.byteLength, process.execArgv])', { eval: true, workerData: data, transferList: [data] });
        results.push([await ask(worker), data.byteLength]);
      }
      return results;`;
    const [plain, ours] = evaluate<[unknown, number][]>(script, ['env', 'NODE_OPTIONS=--no-warnings']);
    expect(plain![1]).toBe(0);
    expect(ours).toEqual(plain);
  });

  test('of a text that begins with lines of comments, however long', () => {
    const beginnings = ['/'.repeat(100), '// '.repeat(50), '/* a */ '.repeat(50)];
    const result = evaluate(`${common()}
      const answers = [];
      for (const beginning of ${JSON.stringify(beginnings)}) for (const directive of ['"use strict";', '0;']) {
        const text = beginning + '\\n' + directive + ' require("node:worker_threads").parentPort.postMessage((function () { return this === undefined; })())';
        answers.push(await ask(new NamespaceWorker(text, { eval: true })));
      }
      return answers;`);
    expect(result).toEqual([true, false, true, false, true, false]);
  });

  test('which extends it, and is extended', () => {
    const result = evaluate(`${common()}
      class Own extends NamespaceWorker { constructor() { super('0', { eval: true }); this.own = 1; } }
      const worker = new Own();
      await once(worker, 'exit');
      return [worker instanceof NamespaceWorker, worker instanceof Worker, worker.own, Object.getPrototypeOf(NamespaceWorker) === Worker];`);
    expect(result).toEqual([true, true, 1, true]);
  });

  test('and what its module throws is told as it is', () => {
    const result = evaluate(`${common()}
      const told = [];
      for (const Class of [Worker, NamespaceWorker]) {
        const [error] = await once(new Class('throw Object.assign(new RangeError("mine"), { code: "MINE" })', { eval: true }).on('error', () => {}), 'error');
        told.push([error instanceof RangeError, error.message, error.code]);
      }
      return told;`);
    expect(result).toEqual([
      [true, 'mine', 'MINE'],
      [true, 'mine', 'MINE'],
    ]);
  });
});

describe('its thread', () => {
  owning('creates namespaces, and no other thread is in there', () => {
    const result = evaluate(
      `${common()}
      const worker = new NamespaceWorker(folder + '/namespaces.cjs', { flags: Flags.NEWNET | Flags.NEWUTS | Flags.NEWIPC | Flags.NEWCGROUP });
      const there = await ask(worker);
      return [moved(there), await fs.promises.readlink('/proc/thread-self/ns/net') === here.net, fs.readlinkSync('/proc/thread-self/ns/net') === here.net];`,
      asOwner,
    );
    expect(result).toEqual([['net', 'uts', 'ipc', 'cgroup'], true, true]);
  });

  owning('with a new pid namespace refuses a start whose set-up would be its first process, and goes on', () => {
    const told = evaluate<unknown>(
      `const source = \`
         const { Flags, run } = require(${JSON.stringify(root)});
         const { parentPort } = require('node:worker_threads');
         (async () => {
           const told = await run('true', [], { flags: Flags.NEWPID }).catch(({ code, message }) => [code, message.slice(0, 33)]);
           parentPort.postMessage([told, (await run('true')).code]);
         })();\`;
       const worker = new nsclone.NamespaceWorker(source, { eval: true, flags: nsclone.Flags.NEWPID });
       return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));`,
      asOwner,
    );
    expect(told).toEqual([['EINVAL', 'EINVAL: the first process of the '], 0]);
  });

  owning('enters namespaces: of a child, of several targets, by a Namespace that is closed at once', () => {
    const result = evaluate(
      `${common()}
      const child = await clone('sleep', ['100'], { flags: Flags.NEWNET | Flags.NEWUTS, hold: true, stdio: 'ignore' });
      const [net, uts] = [child.namespace('net'), child.namespace('uts')];
      const theirs = ['net:[' + net.id + ']', 'uts:[' + uts.id + ']'];
      const before = descriptors();
      const answers = [child, [net, uts], [{ pid: child.pid, flags: Flags.NEWNET }, uts]]
        .map((join) => ask(new NamespaceWorker(folder + '/namespaces.cjs', { join, flags: Flags.NEWIPC })));
      net.close();
      uts.close();
      const seen = (await Promise.all(answers)).map((there) => [there.net === theirs[0], there.uts === theirs[1], moved(there)]);
      child.kill('SIGKILL');
      await child.exited;
      return [...seen, descriptors() <= before];`,
      asOwner,
    );
    const all = [true, true, ['net', 'uts', 'ipc']];
    expect(result).toEqual([all, all, all, true]);
  });

  owning('starts children in pid namespaces, new and entered', () => {
    const result = evaluate(
      `${common()}
      const child = await clone('sleep', ['100'], { flags: Flags.NEWPID, stdio: 'ignore' });
      const source = 'const { execFileSync } = require("node:child_process"); const say = (command) => execFileSync("/bin/sh", ["-c", command], { encoding: "utf8" }).trim(); require("node:worker_threads").parentPort.postMessage([say("echo $$"), "pid"])';
      const link = 'require("node:worker_threads").parentPort.postMessage(require("node:child_process").execFileSync("readlink", ["/proc/self/ns/pid"], { encoding: "utf8" }).trim())';
      const first = await ask(new NamespaceWorker(source, { eval: true, flags: Flags.NEWPID }));
      const entered = await ask(new NamespaceWorker(link, { eval: true, join: { pid: child.pid } }));
      const theirs = 'pid:[' + child.namespace('pid').id + ']';
      child.kill('SIGKILL');
      await child.exited;
      return [first, entered === theirs];`,
      asOwner,
    );
    expect(result).toEqual([['1', 'pid'], true]);
  });

  owning('names the host and brings up the loopback interface, there alone', () => {
    const result = evaluate(
      `${common()}
      const os = require('node:os');
      const name = os.hostname();
      const source = \`const net = require('node:net'); const server = net.createServer((socket) => socket.end()).listen(80, '127.0.0.1', () => {
        net.connect(80, '127.0.0.1').on('connect', () => require('node:worker_threads').parentPort.postMessage([require('node:os').hostname(), Object.keys(require('node:os').networkInterfaces())])); });\`;
      const worker = new NamespaceWorker(source, { eval: true, flags: Flags.NEWNET | Flags.NEWUTS, hostname: 'box', loopback: true });
      return [await ask(worker), os.hostname() === name];`,
      asOwner,
    );
    expect(result).toEqual([['box', ['lo']], true]);
  });

  owning('goes on in there in Workers that it starts, and a Worker may start it', () => {
    const result = evaluate(
      `${common()}
      const inner = 'require("node:worker_threads").parentPort.postMessage(require("node:fs").readlinkSync("/proc/thread-self/ns/net"))';
      const outer = (Class) => \`
        const nsclone = require(${JSON.stringify(root)}); const { Worker, parentPort } = require('node:worker_threads');
        new \${Class}(\${JSON.stringify(inner)}, { eval: true, flags: nsclone.Flags.NEWNET }).once('message', (message) =>
          parentPort.postMessage([message, require('node:fs').readlinkSync('/proc/thread-self/ns/net')]));\`;
      const [child, own] = await ask(new NamespaceWorker(outer('Worker'), { eval: true, flags: Flags.NEWNET }));
      const [made, home] = await ask(new Worker(outer('nsclone.NamespaceWorker'), { eval: true }));
      return [child === own, own === here.net, made === home, home === here.net];`,
      asOwner,
    );
    expect(result).toEqual([true, false, false, true]);
  });

  owning('leaves nothing behind, ended by itself, by terminate() at any moment, or by an error', () => {
    const result = evaluate(
      `${common()}
      const child = await clone('sleep', ['100'], { flags: Flags.NEWNET, stdio: 'ignore' });
      const ended = (worker) => new Promise((resolve) => worker.on('error', () => {}).once('exit', resolve));
      const options = { eval: true, join: { pid: child.pid }, flags: Flags.NEWUTS };
      await ended(new NamespaceWorker('0', options));
      await ended(new Worker('0', { eval: true }));
      const before = descriptors();
      for (let i = 0; i < 5; i++) {
        await ended(new NamespaceWorker('0', options));
        await new NamespaceWorker('for (;;);', options).terminate();
        const busy = new NamespaceWorker('for (;;);', options);
        await once(busy, 'online');
        await busy.terminate();
        await ended(new NamespaceWorker('throw 1', options));
        try { new NamespaceWorker('0', { ...options, execArgv: ['--expose-gc'] }); } catch (error) { if (error.code !== 'ERR_WORKER_INVALID_EXEC_ARGV') throw error; }
        try { new NamespaceWorker('x.js', { ...options, eval: false }); } catch (error) { if (error.option !== 'filename') throw error; }
      }
      const left = descriptors() - before;
      child.kill('SIGKILL');
      await child.exited;
      return left;`,
      asOwner,
    );
    expect(result).toBe(0);
  });
});

describe('what it is refused', () => {
  /** What 'error' has, and whether the module ran. */
  const refusalOf = (options: string, wrapper: readonly string[] = []): unknown =>
    evaluate(
      `${common()}
       const worker = new NamespaceWorker('require("node:worker_threads").parentPort.postMessage("ran")', { eval: true, ...${options} });
       let ran = false;
       worker.on('message', () => { ran = true; });
       const exit = new Promise((resolve) => worker.once('exit', resolve));
       const [error] = await once(worker, 'error');
       const { code, syscall, option, path, message, stack } = error;
       return { isOurs: error instanceof SyscallError, code, syscall, option, path, message, ran, exit: await exit,
         named: stack.split('\\n')[1].includes('[eval]') };`,
      wrapper,
    );
  const told = { isOurs: true, ran: false, exit: 1, named: true };

  test('by the kernel is told by the event error, as if it were of the call, and its module does not run', () => {
    const wrapper =
      process.getuid!() === 0 ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
    expect(refusalOf('{ flags: Flags.NEWNET }', wrapper)).toEqual({
      ...told,
      code: 'EPERM',
      syscall: 'unshare',
      option: 'flags',
      message:
        'EPERM: operation not permitted, unshare CLONE_NEWNET (flags): needs CAP_SYS_ADMIN; an ordinary user gets namespaces with clone() and Flags.NEWUSER',
    });
    expect(refusalOf(`{ join: ['/proc/self/ns/uts', '/proc/self/ns/net'] }`, wrapper)).toMatchObject({
      ...told,
      code: 'EPERM',
      syscall: 'setns',
      option: 'join[0]',
      path: '/proc/self/ns/uts',
    });
  });

  test('where what it creates it may not change', () => {
    // Root of a user namespace that does not own the network and the host name that it has joined.
    const wrapper = ['unshare', '--user', '--map-root-user'];
    expect(refusalOf(`{ flags: Flags.NEWUTS, join: '/proc/self/ns/net', loopback: true }`, wrapper)).toMatchObject({
      ...told,
      code: 'EPERM',
      syscall: 'setns',
      option: 'join',
    });
  });

  test('one of several, of which the first could not be left again', () => {
    const error = evaluate<unknown>(
      `${common()}
       const { uts } = await nsclone.createNamespaces(Flags.NEWUTS);
       const worker = new NamespaceWorker('console.log("ran")', { eval: true, join: [uts, '/proc/self/ns/net'] });
       const [{ code, syscall, option }] = await once(worker, 'error');
       return { code, syscall, option };`,
      ['unshare', '--user', '--map-root-user'],
    );
    expect(error).toEqual({ code: 'EPERM', syscall: 'setns', option: 'join[1]' });
  });

  const refusals: [name: string, args: unknown[], option: string, message: RegExp][] = [
    [
      'a new mount namespace',
      ['0', { eval: true, flags: Flags.NEWNS }],
      'flags',
      /CLONE_NEWNS: .*setns\(\) in a Worker/,
    ],
    ['a mount namespace', ['0', { eval: true, join: '/proc/self/ns/mnt' }], 'join', /CLONE_NEWNS: .*use clone\(\)/],
    ['a new user namespace', ['0', { eval: true, flags: Flags.NEWUSER }], 'flags', /CLONE_NEWUSER: .*use clone\(\)/],
    [
      'a user namespace',
      ['0', { eval: true, join: ['/proc/self/ns/user'] }],
      'join[0]',
      /CLONE_NEWUSER: .*use clone\(\)/,
    ],
    ['a time namespace', ['0', { eval: true, join: '/proc/self/ns/time' }], 'join', /CLONE_NEWTIME/],
    ['a new time namespace', ['0', { eval: true, flags: Flags.NEWTIME }], 'flags', /CLONE_NEWTIME/],
    ['flags that are no namespaces', ['0', { eval: true, flags: Flags.FS }], 'flags', /CLONE_FS: it is no namespace/],
    [
      'one kind twice',
      ['0', { eval: true, join: ['/proc/self/ns/net', '/proc/thread-self/ns/net'] }],
      'join[1]',
      /CLONE_NEWNET a second time/,
    ],
    [
      'one kind both new and entered',
      ['0', { eval: true, join: '/proc/self/ns/net', flags: Flags.NEWNET }],
      'join',
      /CLONE_NEWNET that flags create/,
    ],
    ['a host name of the host', ['0', { eval: true, hostname: 'box' }], 'hostname', /needs Flags\.NEWUTS/],
    [
      'a host name that is too long',
      ['0', { eval: true, flags: Flags.NEWUTS, hostname: 'x'.repeat(65) }],
      'hostname',
      /64 bytes/,
    ],
    ['the interface of the host', ['0', { eval: true, loopback: true }], 'loopback', /needs Flags\.NEWNET/],
    [
      'loopback that is no boolean',
      ['0', { eval: true, flags: Flags.NEWNET, loopback: 1 }],
      'loopback',
      /of type boolean/,
    ],
    ['a bare name', ['worker.js', {}], 'filename', /must be an absolute path, or begin with/],
    ['the text of a URL', ['file:///worker.js', {}], 'filename', /wrap it with new URL\(\)/],
    ['a URL of the web', [new URL('https://example.invalid/'), {}], 'filename', /file: or data: URL/],
    ['a misspelt option', ['0', { eval: true, flag: Flags.NEWNET }], 'flag', /did you mean "flags"/],
    ['an option of clone()', ['0', { eval: true, uidMap: 'root' }], 'uidMap', /is unknown/],
    ['no filename', [undefined, {}], 'filename', /of type string or an instance of URL/],
    ['text that is none', [5, { eval: true }], 'filename', /of type string, as eval is given/],
    ['options that are none', ['0', 5], 'options', /of type object/],
    ['a target that is none', ['0', { eval: true, join: 5 }], 'join', /of type string or an object/],
  ];

  test.each(refusals)('%s, by the constructor', (_, args, option, message) => {
    const make = (): unknown => new NamespaceWorker(...(args as [string]));
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ option }));
  });

  test('a path that leads to nothing, by the constructor', () => {
    expect(() => new NamespaceWorker('0', { eval: true, join: '/no/such' })).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'open', option: 'join', path: '/no/such' }),
    );
  });

  test('in Bun and Deno all of it', () => {
    const result = evaluate(
      `try { new nsclone.NamespaceWorker('0', { eval: true }); } catch ({ code, message }) { return { code, message }; }`,
      ['env', `NODE_OPTIONS=--require=${root}/test/support/foreign-runtime.js`],
    );
    expect(result).toEqual({
      code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      message: expect.stringMatching(/^NamespaceWorker is unavailable in (Bun|Deno): /) as string,
    });
  });

  test('and without a listener ends the process, with the line that has made it', () => {
    const { status, stderr } = runScript(
      `new nsclone.NamespaceWorker('0', { eval: true, flags: nsclone.Flags.NEWNET });`,
      process.getuid!() === 0 ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [],
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /SyscallError: EPERM: operation not permitted, unshare CLONE_NEWNET \(flags\).*\n\s+at \[eval\]/,
    );
  });
});

userOnly('an ordinary user has one without namespaces, too', async () => {
  const worker = new NamespaceWorker('0', { eval: true });
  expect(worker).toBeInstanceOf(Worker);
  await expect(new Promise((resolve) => worker.once('exit', resolve))).resolves.toBe(0);
});

describe.each(['cjs', 'esm'] as const)('a bundle of format %s', (format) => {
  test('has one, with names kept and everything minified', () => {
    const outfile = join(folder, `bundle-${format}.${format === 'cjs' ? 'cjs' : 'mjs'}`);
    const contents = `import { NamespaceWorker } from ${JSON.stringify(join(root, 'dist/lib/index.mjs'))};
      new NamespaceWorker('require("node:worker_threads").parentPort.postMessage("runs")', { eval: true })
        .on('message', (message) => console.log(message)).on('error', (error) => console.log(error));`;
    const options = { bundle: true, platform: 'node', format, minify: true, keepNames: true } as const;
    buildSync({ stdin: { contents, resolveDir: folder }, outfile, ...options });
    const { stdout, stderr } = runScript(
      `process.env.NSCLONE_ADDON = ${JSON.stringify(join(root, 'build/Release/nsclone.node'))};
       const { status, stdout, stderr } = require('node:child_process').spawnSync(process.execPath, [${JSON.stringify(outfile)}], { encoding: 'utf8' });
       console.log(stdout + stderr);`,
    );
    expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: 'runs', stderr: '' });
  });
});
