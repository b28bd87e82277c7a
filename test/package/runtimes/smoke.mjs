// What the package does in any runtime, each line of it once. Prints what failed, and ends with 1 where something has.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import {
  clone,
  constants,
  Flags,
  fork,
  Namespace,
  NamespaceWorker,
  plan,
  record,
  run,
  runIn,
  setns,
  SyscallError,
  unshare,
} from 'nsclone';

const isRoot = process.getuid() === 0;
const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
const mapped = { uidMap: 'root', gidMap: 'root' };
/** Stdout alone is a pipe. */
const out = ['ignore', 'pipe', 'inherit'];
const large = 10 * 1024 * 1024;

const cases = {
  async 'a command'() {
    const child = await clone('/bin/true', { stdio: 'ignore' });
    assert.equal(child.exitCode, null);
    const { code, signal } = await child.exited;
    assert.deepEqual([code, signal, child.exitCode], [0, null, 0]);
  },

  async 'input, output and errors'() {
    const child = await clone('sh', ['-c', 'cat; echo problem >&2; exit 3']);
    child.stdin.end('hello');
    assert.deepEqual(await Promise.all([text(child.stdout), text(child.stderr)]), ['hello', 'problem\n']);
    assert.equal((await child.exited).code, 3);
  },

  async 'a descriptor, and the stream of another child'() {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-smoke-'));
    const file = openSync(join(folder, 'out'), 'w');
    const first = await clone('sh', ['-c', 'echo one; echo two'], { stdio: out });
    const second = await clone('sort', ['-r'], { stdio: [first.stdout, file, 'inherit'] });
    await second.exited;
    closeSync(file);
    const written = readFileSync(join(folder, 'out'), 'utf8');
    rmSync(folder, { recursive: true });
    assert.equal(written, 'two\none\n');
  },

  async 'a socket'() {
    const child = await clone('sh', ['-c', 'cat <&3 >&3'], { stdio: ['ignore', 'ignore', 'inherit', 'socket'] });
    child.stdio[3].end('there and back');
    assert.equal(await text(child.stdio[3]), 'there and back');
  },

  async 'a module, and messages both ways'() {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-smoke-'));
    const file = join(folder, 'module.mjs');
    writeFileSync(file, "process.on('message', (message) => process.send(message, () => process.disconnect()));");
    const child = await fork(file, [], { flags: Flags.NEWUSER | Flags.NEWUTS, ...mapped });
    const events = [];
    for (const event of ['spawn', 'message', 'disconnect', 'exit', 'close'])
      child.on(event, (value) => events.push([event, value]));
    child.send({ text: 'x'.repeat(300_000) });
    await once(child, 'close');
    rmSync(folder, { recursive: true });
    assert.deepEqual(
      events.map(([event]) => event),
      ['spawn', 'message', 'disconnect', 'exit', 'close'],
    );
    assert.equal(events[1][1].text.length, 300_000);
  },

  async 'ten megabytes both ways'() {
    const child = await clone('cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
    const data = Buffer.alloc(large, 'abcdefg');
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stdin.end(data);
    await once(child, 'close');
    assert.ok(Buffer.concat(chunks).equals(data));
  },

  async 'output waits for its reader, and input for the command'() {
    const child = await clone('sh', ['-c', `head -c ${large} /dev/zero; sleep 0.1; wc -c`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdout.once('readable', () => {});
    await sleep(100);
    assert.ok(child.stdout.readableLength < 1024 * 1024);
    let drained = 0;
    const feed = (async () => {
      for (let i = 0; i < 32; i++) {
        if (child.stdin.write(Buffer.alloc(65536))) continue;
        await once(child.stdin, 'drain');
        drained++;
      }
      child.stdin.end();
    })();
    let size = 0;
    let last;
    child.stdout.on('data', (chunk) => ((size += chunk.length), (last = chunk)));
    await Promise.all([feed, once(child, 'close')]);
    assert.ok(drained > 0);
    const count = String(32 * 65536);
    assert.ok(size >= large + count.length && String(last).trimEnd().endsWith(count));
  },

  async 'a command that reads nothing'() {
    const child = await clone('sh', ['-c', 'exec <&-; sleep 0.3'], { stdio: ['pipe', 'ignore', 'inherit'] });
    await sleep(100);
    const failed = once(child.stdin, 'error');
    child.stdin.write('x');
    assert.equal((await failed)[0].code, 'EPIPE');
    await child.exited;
  },

  async 'output that is read when the command has ended'() {
    const child = await clone('sh', ['-c', 'echo late'], { stdio: out });
    await child.exited;
    await sleep(20);
    assert.equal(await text(child.stdout), 'late\n');
  },

  async 'run()'() {
    assert.equal((await run('cat', { input: 'collected' })).stdout, 'collected');
    await assert.rejects(run('yes', { maxBuffer: 100 }), { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' });
    assert.equal((await run('sleep', ['60'], { timeout: 100 })).endedBy, 'timeout');
    assert.equal((await run('sleep', ['60'], { signal: AbortSignal.timeout(100) })).endedBy, 'abort');
  },

  async 'many at a time'() {
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => run('echo', [String(i)])));
    assert.deepEqual(
      all.map(({ stdout }) => Number(stdout)),
      [...all.keys()],
    );
  },

  async 'errors, with the line of their caller'() {
    let error;
    try {
      await clone('/no/such/command');
    } catch (reason) {
      error = reason;
    }
    assert.ok(error instanceof SyscallError);
    assert.deepEqual([error.code, error.syscall, error.path], ['ENOENT', 'execve', '/no/such/command']);
    assert.match(error.stack, /smoke/);
    assert.doesNotMatch(error.stack, /node_modules/);
    await assert.rejects(clone('true', { cwd: '/no/such/folder' }), {
      code: 'ENOENT',
      syscall: 'chdir',
      option: 'cwd',
    });
    await assert.rejects(clone('true', { hostname: 'box' }), { code: 'ERR_INVALID_ARG_VALUE', option: 'hostname' });
    await assert.rejects(clone('true', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  },

  async 'seven namespaces'() {
    const { NEWUSER, NEWPID, NEWNS, NEWUTS, NEWNET, NEWIPC, NEWCGROUP } = Flags;
    const { stdout } = await run(
      'sh',
      ['-c', 'id -u; cat /proc/sys/kernel/hostname; echo $$; ls /proc | grep -c "^[0-9]"'],
      {
        ...mapped,
        flags: NEWUSER | NEWPID | NEWNS | NEWUTS | NEWNET | NEWIPC | NEWCGROUP,
        hostname: 'box',
        loopback: true,
        mounts: [{ type: 'proc', target: '/proc' }],
      },
    );
    assert.match(stdout, /^0\nbox\n1\n[1-5]\n$/);
  },

  async 'ids that are lent'() {
    const { stdout: name } = await run('id', ['-un']);
    // Root has none on most hosts.
    if (!readFileSync('/etc/subuid', 'utf8').includes(`${name.trim()}:`)) return;
    const map = await run('cat', ['/proc/self/uid_map'], { flags: Flags.NEWUSER, uidMap: 'auto', gidMap: 'auto' });
    assert.match(map.stdout, /65536/);
  },

  async 'a pid 1, and joining'() {
    const box = await clone('sleep', ['60'], {
      ...mapped,
      flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWUTS,
      init: true,
      hostname: 'joined',
      stdio: 'ignore',
    });
    assert.equal((await run('cat', ['/proc/sys/kernel/hostname'], { join: box })).stdout, 'joined\n');
    const namespace = box.namespace('uts');
    assert.notEqual(namespace.id, Namespace.current('uts').id);
    namespace.close();
    await box[Symbol.asyncDispose]();
    assert.equal(box.signalCode, 'SIGTERM');
  },

  async 'a child that waits'() {
    const child = await clone('echo', ['started'], { hold: true, stdio: out });
    assert.equal(child.exitCode, null);
    await child.start();
    assert.equal(await text(child.stdout), 'started\n');
  },

  async 'signals and events'() {
    const child = await clone('sleep', ['60'], { stdio: 'ignore' });
    const told = [];
    for (const event of ['spawn', 'exit', 'close']) child.on(event, (...values) => told.push([event, ...values]));
    assert.ok(child.kill());
    await once(child, 'close');
    assert.deepEqual(told, [['spawn'], ['exit', null, 'SIGTERM'], ['close', null, 'SIGTERM']]);
    assert.equal(child.kill(), false);
  },

  async 'what a listener throws'() {
    const child = await clone('true', { stdio: 'ignore' });
    child.on('exit', () => {
      throw new Error('by a listener');
    });
    const [error] = await once(process, 'uncaughtException');
    assert.equal(error.message, 'by a listener');
  },

  async 'a plan'() {
    const made = plan('echo', ['planned'], { stdio: out });
    assert.match(String(made), /execve/);
    assert.equal(await text((await clone(made)).stdout), 'planned\n');
  },

  async 'recorded programs'() {
    const { VM, FILES, FS, SIGHAND, THREAD } = Flags;
    const program = record((c) => ({ pid: c.getpid(), ends: c.pipe2() }));
    for (const flags of [0, VM, FILES, VM | FILES, VM | FILES | FS | SIGHAND | THREAD]) {
      const child = await clone(program, { flags });
      assert.equal(child.results.pid === process.pid, (flags & THREAD) !== 0);
      // Deno closes no descriptor that it has not opened itself.
      if ((flags & FILES) !== 0) assert.match(readlinkSync(`/proc/self/fd/${child.results.ends[0]}`), /^pipe:/);
      await child.exited;
    }
    const failing = record((c) => void c.openat(constants.AT_FDCWD, '/no/such/file', 0, 0));
    await assert.rejects(clone(failing, { flags: VM }), { code: 'ENOENT', option: 'program[0]' });
  },

  async 'a terminal'() {
    const child = await clone('sh', ['-c', 'read line; echo got $line; stty size'], {
      pty: { columns: 100, rows: 40 },
    });
    child.pty.write('a line\n');
    const written = await text(child.pty);
    assert.match(written, /got a line\r\n40 100/);
    const untouched = await clone('sh', ['-c', 'echo untouched'], { pty: true });
    await untouched.exited;
    await sleep(20);
    assert.equal(await text(untouched.pty), 'untouched\r\n');
  },

  async 'the context of the call'() {
    const storage = new AsyncLocalStorage();
    const stores = [];
    await storage.run('ours', async () => {
      const child = await clone('echo', ['x'], { stdio: out });
      child.on('exit', () => stores.push(storage.getStore()));
      storage.run('another', () => child.stdout.on('data', () => stores.push(storage.getStore())));
      await once(child, 'close');
    });
    assert.deepEqual(stores, ['ours', 'ours']);
  },

  async 'other limits, other ids'() {
    assert.equal((await run('sh', ['-c', 'ulimit -n; nice'], { rlimits: { nofile: 64 }, nice: 5 })).stdout, '64\n5\n');
    if (isRoot) assert.equal((await run('id', ['-u'], { uid: 1000, gid: 1000, groups: [] })).stdout, '1000\n');
  },

  async 'the calling thread'() {
    const refused = { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' };
    if (!isNode) await assert.rejects(unshare(Flags.NEWPID), refused);
    if (!isNode) await assert.rejects(setns('/proc/self/ns/pid', Flags.NEWPID), refused);
    if (!isNode) assert.throws(() => runIn('/proc/self/ns/uts', () => {}), refused);
    if (!isNode) assert.throws(() => new NamespaceWorker('0', { eval: true }), refused);
    if (!isRoot) return assert.rejects(unshare(Flags.NEWUTS), { code: 'EPERM' });
    const before = Namespace.current('uts');
    await unshare(Flags.NEWUTS);
    assert.ok(!Namespace.current('uts').equals(before));
    if (isNode) assert.ok(runIn(before, () => Namespace.current('uts').equals(before)));
    await setns(before, Flags.NEWUTS);
    assert.ok(Namespace.current('uts').equals(before));
  },

  async 'a Worker that ends with children'() {
    const source = `const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(import.meta.resolve('nsclone'))}).then(async ({ clone }) => {
        const { exitCode } = await (await clone('true')).exited;
        const child = await clone('sleep', ['60']);
        child.stdout.resume();
        parentPort.postMessage(child.pid);
      });`;
    const worker = new Worker(source, { eval: true });
    const [pid] = await once(worker, 'message');
    await worker.terminate();
    for (let i = 0; i < 100 && readdirSync('/proc').includes(String(pid)); i++) await sleep(20);
    assert.ok(!readdirSync('/proc').includes(String(pid)));
  },

  async 'no descriptor, thread or time is lost'() {
    const held = () => ['fd', 'task'].map((folder) => readdirSync(`/proc/self/${folder}`).length);
    const again = async () => {
      const child = await clone('echo', ['x']);
      child.stdout.resume();
      await once(child, 'close');
    };
    for (let i = 0; i < 20; i++) await again();
    const before = held();
    for (let i = 0; i < 200; i++) await again();
    const after = held();
    assert.ok(
      after.every((count, index) => count <= before[index] + 5),
      `${before} became ${after}`,
    );
    const idle = await clone('sleep', ['0.5']);
    const used = process.cpuUsage();
    await idle.exited;
    const { user, system } = process.cpuUsage(used);
    assert.ok(user + system < 250_000, `${user + system} µs of waiting`);
  },
};

/** An error beats a runtime that hangs. */
const late = (milliseconds) =>
  sleep(milliseconds, undefined, { ref: false }).then(() => Promise.reject(new Error('nothing came')));

let failed = 0;
for (const [name, check] of Object.entries(cases)) {
  try {
    await Promise.race([check(), late(60_000)]);
  } catch (error) {
    failed++;
    console.log(`  ${name}: ${error?.stack ?? error}`);
  }
}
console.log(`  ${Object.keys(cases).length - failed} good, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
