// Workers and copies of the addon: children live and end with their own environment, and no end of one hurts the process.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { withCapability } from '../support/capability';
import { compiled, compiler } from '../support/compiled';
import { evaluate, root } from '../support/own-process';

const common = `
  const { clone, Flags } = nsclone;
  const { Worker } = require('node:worker_threads');
  const { once } = require('node:events');
  const { children, descriptors, settled, sleep } = require(${JSON.stringify(join(__dirname, 'left.js'))});
  const start = (source, workerData) => new Worker(\`
    const { clone, Flags } = require(${JSON.stringify(root)});
    const { parentPort, workerData } = require('node:worker_threads');
    const { setTimeout: sleep } = require('node:timers/promises');
    const { once } = require('node:events');
    (async () => { \${source} })();\`, { eval: true, workerData });
  const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
  // What is opened once and for all.
  await ended(start('await (await clone("/bin/true")).exited'));
  await (await clone('/bin/true')).exited;
  const before = (await settled(0, 100)).descriptors;
`;

/** The masters of terminals that are open: the number of each, and that of its terminal. */
const masters = `fs.readdirSync('/proc/self/fd').flatMap((number) => {
  try {
    const index = /tty-index:.*/.exec(fs.readFileSync('/proc/self/fdinfo/' + number, 'utf8'));
    return index === null ? [] : [number + ' ' + index[0]];
  } catch {
    return [];
  }
})`;

const nothing = { children: [], descriptors: 0 };

/** Three that run, three in set-up, and one that has failed. */
const family = `
  for (let i = 0; i < 3; i++) children.push(await clone('/bin/sleep', ['100'], { stdio: i === 0 ? 'pipe' : 'ignore' }));
  await clone('/no/such/command').catch(() => {});
  for (let i = 0; i < 3; i++) clone('/bin/sleep', ['100'], { flags: Flags.NEWUSER | Flags.NEWNET | Flags.NEWPID }).catch(() => {});
`;

describe('a Worker that ends with children', () => {
  test.each([
    ['by terminate()', 'parentPort.postMessage(0); await sleep(100_000);', 1],
    ['by process.exit()', 'process.exit(7);', 7],
    ['in the middle of a callback', 'children[0].on("exit", () => process.exit(3)); children[0].kill("SIGKILL");', 3],
    ['by an exception', 'throw new Error("this is the end");', 1],
  ])('%s: they are killed and reaped, and the process goes on', (_how, last, code) => {
    const result = evaluate(`${common}
      const results = [];
      for (let round = 0; round < 3; round++) {
        const worker = start(${JSON.stringify(`const children = []; ${family} ${last}`)});
        worker.on('message', () => worker.terminate());
        worker.on('error', () => {});
        results.push([await ended(worker), await settled(before)]);
      }
      return results;`);
    expect(result).toEqual(Array.from({ length: 3 }, () => [code, nothing]));
  });

  test.each([
    ['untouched', ''],
    ['in use', 'child.pty.on("data", () => {}); child.pty.write("echo hi\\n");'],
  ])('with a terminal that is %s', (_, use) => {
    const source = `for (let i = 0; i < 3; i++) { const child = await clone('/bin/sh', [], { pty: true }); ${use} }
      await sleep(20); process.exit(0);`;
    const result = evaluate(`${common} return [await ended(start(${JSON.stringify(source)})), await settled(before)];`);
    expect(result).toEqual([0, nothing]);
  });

  test('by coming to its end: children that were let go of are killed', () => {
    const source = `for (let i = 0; i < 3; i++) (await clone('/bin/sleep', ['100'], { stdio: 'ignore' })).unref();`;
    const result = evaluate(`${common} return [await ended(start(${JSON.stringify(source)})), await settled(before)];`);
    expect(result).toEqual([0, nothing]);
  });

  test('with namespaces that it has left open: it takes them along, but for a number that is another file by then', () => {
    const source = `const { Namespace } = require(${JSON.stringify(root)});
      for (let i = 0; i < 3; i++) Namespace.current('uts');
      const { fd } = Namespace.current('net');
      const closed = Namespace.current('ipc');
      closed.close();
      parentPort.postMessage([fd, closed.fd]);
      await sleep(100_000);`;
    const result = evaluate(`${common}
      const worker = start(${JSON.stringify(source)});
      const [[open]] = await once(worker, 'message');
      const was = fs.existsSync('/proc/self/fd/' + open);
      const own = nsclone.Namespace.current('ipc');
      await worker.terminate();
      const kept = fs.existsSync('/proc/self/fd/' + own.fd);
      own.close();
      return [was, kept, await settled(before)];`);
    expect(result).toEqual([true, true, nothing]);
  });

  test('with a terminal that is over: the one of another thread that has its number by then stays open', () => {
    const source = `const fs = require('node:fs');
      const child = await clone('/bin/true', [], { pty: true });
      const closed = once(child.pty.resume(), 'close');
      parentPort.postMessage(${masters});
      await child.exited;
      await closed;
      parentPort.postMessage('over');
      await sleep(100_000);`;
    const result = evaluate(`${common}
      const worker = start(${JSON.stringify(source)});
      const [[other]] = await once(worker, 'message');
      await once(worker, 'message');
      const free = () => { const probe = fs.openSync('/dev/ptmx', 'r'); try { return ${masters}; } finally { fs.closeSync(probe); } };
      let child, open;
      // Terminals have their numbers from one row for all processes: another one may be faster.
      for (;;) {
        await until(() => free().length === 1 && free()[0].split(':')[1] === other.split(':')[1]);
        child = await clone('/bin/cat', [], { pty: true });
        child.pty.resume();
        open = ${masters};
        if (open.includes(other)) break;
        child.kill('SIGKILL');
        await child.exited;
      }
      await worker.terminate();
      const left = ${masters};
      child.kill('SIGKILL');
      await child.exited;
      return [open.includes(other), open.length, left.length];`);
    expect(result).toEqual([true, 2, 2]);
  });

  test('at any moment', () => {
    const source = `for (;;) {
      const started = Array.from({ length: 4 }, (_, i) => clone('/bin/true', [], { flags: i % 2 ? Flags.NEWUSER | Flags.NEWPID : 0 }));
      for (const child of await Promise.all(started)) await child.exited;
    }`;
    const result = evaluate(`${common}
      await Promise.all(Array.from({ length: 4 }, async () => {
        for (let round = 0; round < 8; round++) {
          const worker = start(${JSON.stringify(source)});
          await once(worker, 'online');
          await sleep(Math.random() * 60);
          await worker.terminate();
        }
      }));
      return settled(before);`);
    expect(result).toEqual(nothing);
  });

  const hold = compiled('robustness/hold-zombie');

  withCapability(
    'CAP_SYS_PTRACE',
    'that a debugger holds on to: who is left reaps them when it lets go, unasked',
    () => {
      if (compiler === undefined) return;
      const source = `const child = await clone('/bin/sleep', ['100'], { stdio: 'ignore' }); parentPort.postMessage(child.pid);
      await sleep(100_000);`;
      const result = evaluate(`${common}
      const worker = start(${JSON.stringify(source)});
      const [pid] = await once(worker, 'message');
      const tracer = require('node:child_process').spawn(${JSON.stringify(hold.path)}, [String(pid)]);
      const gone = once(tracer, 'exit');
      await once(tracer.stdout, 'data');
      // That waits for its children, but not for ever.
      await worker.terminate();
      const held = children().filter((child) => child.startsWith(pid + ' '));
      tracer.stdin.end();
      await gone;
      return [held.length, await settled(before)];`);
      expect(result).toEqual([1, nothing]);
    },
  );

  test('while a child of another one lives, which is not touched', () => {
    const result = evaluate(`${common}
      const hearing = start('const child = await clone("/bin/cat"); parentPort.postMessage(child.pid);' +
        'parentPort.once("message", () => child.stdin.end()); const { code } = await child.exited; parentPort.close(); process.exit(code + 20);');
      const [pid] = await once(hearing, 'message');
      const other = start(${JSON.stringify(`const children = []; ${family} process.exit(0);`)});
      const own = await clone('/bin/cat');
      await ended(other);
      await until(() => children().length === 2).catch(() => {});
      const alive = children().map((child) => Number(child.split(' ')[0])).sort((a, b) => a - b);
      hearing.postMessage('end');
      own.stdin.end();
      return [alive.length === 2 && alive.includes(pid) && alive.includes(own.pid), await ended(hearing), (await own.exited).code, await settled(before)];`);
    expect(result).toEqual([true, 20, 0, nothing]);
  });

  test('with a job of the busy thread pool on its way', () => {
    const addon = `require(${JSON.stringify(join(root, 'build/Release/nsclone.node'))})`;
    const result = evaluate(`${common}
      for (let i = 0; i < 8; i++) require('node:crypto').pbkdf2('a', 'b', 100_000, 64, 'sha512', () => {});
      return Promise.all(Array.from({ length: 4 }, () => ended(start(${JSON.stringify(`${addon}.startThreadPool(); process.exit(0);`)}))));`);
    expect(result).toEqual([0, 0, 0, 0]);
  });
});

describe('the addon loaded several times', () => {
  const clones = `const codes = [];
    for (let i = 0; i < 15; i++) {
      const started = [0, 1, 2].map((j) => clone('/bin/sh', ['-c', 'exit ' + (i * 3 + j)], { flags: j === 1 ? Flags.NEWUSER | Flags.NEWPID : 0 }));
      for (const child of await Promise.all(started)) codes.push((await child.exited).code);
    }`;
  const codes = Array.from({ length: 45 }, (_, i) => i);

  test('by the main thread and four Workers at once', () => {
    const result = evaluate(`${common}
      const workers = [1, 2, 3, 4].map(() => start(${JSON.stringify(`${clones} parentPort.postMessage(codes);`)}));
      const messages = workers.map((worker) => once(worker, 'message').then(([message]) => message));
      const ends = workers.map(ended);
      ${clones}
      return [codes, ...await Promise.all(messages), await Promise.all(ends), await settled(before)];`);
    expect(result).toEqual([codes, codes, codes, codes, codes, [0, 0, 0, 0], nothing]);
  });

  test('by modules that are loaded anew, with one addon: each signals its own children', () => {
    const result = evaluate(`
      for (const file of Object.keys(require.cache)) if (file.endsWith('.js')) delete require.cache[file];
      const anew = require(${JSON.stringify(root)});
      const ours = await nsclone.clone('/bin/sleep', ['60']);
      const theirs = await anew.clone('/bin/sleep', ['60']);
      ours.kill('SIGTERM');
      const first = await Promise.race([ours.exited.then(() => 'ours'), theirs.exited.then(() => 'theirs')]);
      theirs.kill('SIGINT');
      return [anew.clone !== nsclone.clone, first, (await ours.exited).signal, (await theirs.exited).signal];`);
    expect(result).toEqual([true, 'ours', 'SIGTERM', 'SIGINT']);
  });

  test('from two files in one thread', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-copy-'));
    try {
      cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
      copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
      mkdirSync(join(folder, 'build/Release'), { recursive: true });
      copyFileSync(join(root, 'build/Release/nsclone.node'), join(folder, 'build/Release/nsclone.node'));
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      const result = evaluate(`
        const copy = require(${JSON.stringify(folder)});
        const { Flags } = nsclone;
        const codesOf = async (clone) => { ${clones} return codes; };
        const results = await Promise.all([codesOf(nsclone.clone), codesOf(copy.clone)]);
        const files = fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.endsWith('nsclone.node'));
        return [...results, new Set(files.map((line) => line.split(/\\s+/)[5])).size];`);
      expect(result).toEqual([codes, codes, 2]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
