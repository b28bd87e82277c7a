// Recorded children, which run in Node's memory, when a Worker or Node itself comes to its end under them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { rootOnly } from '../support/capability';
import { evaluate, root } from '../support/own-process';
import { slow } from '../support/slow';

const common = `
  const { clone, Flags, record } = nsclone;
  const { Worker } = require('node:worker_threads');
  const { children, descriptors, settled, sleep } = require(${JSON.stringify(join(__dirname, 'left.js'))});
  const start = (source, workerData) => new Worker(\`
    const { clone, Flags, record } = require(${JSON.stringify(root)});
    const { setTimeout: sleep } = require('node:timers/promises');
    /** For ever, where nothing else is said. */
    const pause = (seconds = 1000) => record((c) => void c.nanosleep({ tv_sec: seconds }));
    const { workerData } = require('node:worker_threads');
    (async () => { \${source} })();\`, { eval: true, workerData });
  const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
  await (await clone('/bin/true')).exited;
  await ended(start('await (await clone(pause(0), { flags: Flags.VM })).exited'));
  const before = (await settled(0, 100)).descriptors;`;

const nothing = { children: [], descriptors: 0 };

test.each(['VM', 'VM | Flags.FILES', 'NONE'])('Flags.%s: a Worker that ends kills and reaps them', (flags) => {
  const source = `for (let i = 0; i < 5; i++) clone(pause(), { flags: Flags.${flags} }); await sleep(20); process.exit(0);`;
  const result = evaluate(`${common}
    const results = [];
    for (let round = 0; round < 3; round++) results.push([await ended(start(${JSON.stringify(source)})), await settled(before)]);
    return results;`);
  expect(result).toEqual([1, 2, 3].map(() => [0, nothing]));
});

test('Flags.THREAD: one that outlives its Worker comes to its end without a trace', () => {
  // With FILES its last word goes to a descriptor of ours, whose number nobody else may have by then.
  // They last until something can be read.
  const source = `const end = record((c) => c.read(workerData, c.buffer(1)));
    for (let i = 0; i < 5; i++) clone(end, { flags: Flags.VM | Flags.SIGHAND | Flags.THREAD | Flags.FILES }); process.exit(0);`;
  const result = evaluate(`${common}
    const threads = () => fs.readdirSync('/proc/self/task').length;
    // Who joins a thread may still see it for a moment: that of the first Worker.
    let usual;
    await until(async () => { usual = threads(); await sleep(50); return threads() === usual; });
    const pipe = (await clone(record((c) => c.pipe2(0)), { flags: Flags.VM | Flags.FILES })).results;
    const code = await ended(start(${JSON.stringify(source)}, pipe[0]));
    // Who joins a thread may still see it for a moment: that of the Worker.
    await until(() => threads() - usual <= 5);
    const running = threads() - usual;
    const path = ${JSON.stringify('/tmp/nsclone-recorded-')} + process.pid;
    const files = Array.from({ length: 50 }, () => fs.openSync(path, 'w'));
    fs.unlinkSync(path);
    fs.writeSync(pipe[1], '12345');
    await until(() => threads() === usual);
    const written = files.map((file) => fs.fstatSync(file).size).filter((size) => size > 0);
    for (const file of [...files, ...pipe]) fs.closeSync(file);
    // The next child finds everything in order, and takes what was left to be closed with it.
    await (await clone('/bin/true')).exited;
    return [code, running, written, await settled(before)];`);
  expect(result).toEqual([0, 5, [], nothing]);
});

describe('with an execve at the end', () => {
  /** How a Node ended that started two of them, and which of their programs ran, when nobody is left of them. */
  async function outlived(recorded: string, last: string): Promise<[unknown, unknown, boolean[]]> {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-recorded-'));
    try {
      const source = `
        const { clone, Flags, record } = require(${JSON.stringify(root)});
        const program = (marker) => record((c) => {
          ${recorded}
          // Descriptors 0 to 2 of a Node are close-on-exec.
          c.dup3(1, 100, 0);
          c.execve('/bin/sh', ['sh', '-c', 'sleep 0.2; echo > ' + marker], []);
        });
        const started = [Flags.VM, Flags.NONE].map((flags, i) => clone(program('${folder}/' + i), { flags }));
        ${last}`;
      const node = spawn(process.execPath, ['-e', source], { stdio: ['pipe', 'pipe', 'inherit'] });
      // All of them hold its output.
      node.stdout.resume();
      const [status, signal] = (await once(node, 'close')) as [unknown, unknown];
      return [status, signal, [0, 1].map((i) => existsSync(join(folder, String(i))))];
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  rootOnly('they run also where those of the thread are born in another pid namespace, which cannot see Node', () => {
    const result = evaluate(`
      const { clone, Flags, record, setnsSync, unshareSync } = nsclone;
      const code = async (flags) => {
        const child = await clone(record((c) => c.execve('/bin/sh', ['sh', '-c', 'exit 7'], [])), { flags });
        return (await child.exited).code;
      };
      const home = { fd: fs.openSync('/proc/self/ns/pid', 'r') };
      setnsSync(home);
      const codes = [await code(Flags.NONE), await code(Flags.VM)];
      for (const flags of [Flags.NONE, Flags.VM]) {
        unshareSync(Flags.NEWPID);
        codes.push(await code(flags));
        setnsSync(home);
      }
      return codes;`);
    expect(result).toEqual([7, 7, 7, 7]);
  });

  test.each([
    ['exit(0)', 0, null],
    ["kill(process.pid, 'SIGKILL')", null, 'SIGKILL'],
  ])('they outlive a Node that ends with %s after it, and do not start after it', async (ending, status, signal) => {
    const after = `Promise.all(started).then(() => process.${ending});`;
    expect(await outlived('', after)).toEqual([status, signal, [true, true]]);
    // They wait for the end of their input, which comes with the end of Node: a moment before the signal of its death, as the kernel
    // closes the files of who exits first.
    const before = `setImmediate(() => process.${ending});`;
    expect(await outlived(`c.read(0, c.buffer(1)); c.nanosleep({ tv_sec: ${slow(1)} });`, before)).toEqual([
      status,
      signal,
      [false, false],
    ]);
  });
});
