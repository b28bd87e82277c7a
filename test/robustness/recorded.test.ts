// Recorded children, which run in Node's memory, when a Worker or Node itself comes to its end under them.
import { join } from 'node:path';

import { evaluate, root } from '../support/own-process';

const common = `
  const { clone, Flags, record } = nsclone;
  const { Worker } = require('node:worker_threads');
  const { children, descriptors, settled, sleep } = require(${JSON.stringify(join(__dirname, 'left.js'))});
  const start = (source) => new Worker(\`
    const { clone, Flags, record } = require(${JSON.stringify(root)});
    const { setTimeout: sleep } = require('node:timers/promises');
    const pause = (milliseconds) => record((c) => {
      const time = Buffer.alloc(16);
      time.writeBigInt64LE(BigInt(milliseconds) * 1000000n, 8);
      c.syscall('nanosleep', time, 0);
    });
    (async () => { \${source} })();\`, { eval: true });
  const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
  await (await clone('/bin/true')).exited;
  await ended(start('await (await clone(pause(1), { flags: Flags.VM })).exited'));
  const before = (await settled(0, 100)).descriptors;`;

const nothing = { children: [], descriptors: 0 };

test.each(['VM', 'VM | Flags.FILES', 'NONE'])('Flags.%s: a Worker that ends kills and reaps them', (flags) => {
  const source = `for (let i = 0; i < 5; i++) clone(pause(999), { flags: Flags.${flags} }); await sleep(20); process.exit(0);`;
  const result = evaluate(`${common}
    const results = [];
    for (let round = 0; round < 3; round++) results.push([await ended(start(${JSON.stringify(source)})), await settled(before)]);
    return results;`);
  expect(result).toEqual([1, 2, 3].map(() => [0, nothing]));
});

test('Flags.THREAD: one that outlives its Worker comes to its end without a trace', () => {
  // With FILES its last word goes to a descriptor of ours, whose number nobody else may have by then.
  const source = `for (let i = 0; i < 5; i++) clone(pause(300), { flags: Flags.VM | Flags.SIGHAND | Flags.THREAD | Flags.FILES }); process.exit(0);`;
  const result = evaluate(`${common}
    const threads = () => fs.readdirSync('/proc/self/task').length;
    const usual = threads();
    const code = await ended(start(${JSON.stringify(source)}));
    const running = threads() - usual;
    const path = ${JSON.stringify('/tmp/nsclone-recorded-')} + process.pid;
    const files = Array.from({ length: 50 }, () => fs.openSync(path, 'w'));
    fs.unlinkSync(path);
    while (threads() > usual) await sleep(10);
    const written = files.map((file) => fs.fstatSync(file).size).filter((size) => size > 0);
    for (const file of files) fs.closeSync(file);
    // The next child finds everything in order, and takes what was left to be closed with it.
    await (await clone('/bin/true')).exited;
    return [code, running, written, await settled(before)];`);
  expect(result).toEqual([0, 5, [], nothing]);
});

describe('with an execve at the end', () => {
  const mark = `c.execve('/bin/sh', ['sh', '-c', 'sleep 0.2; echo > ' + process.argv[1]], [])`;

  /** The last words of a Node that started two of them, and whether their programs have run half a second later. */
  function outlived(recorded: string, ending: string): [status: number | null, signal: string | null, ran: boolean[]] {
    return evaluate(`
      const { spawnSync } = require('node:child_process');
      const source = \`
        const { clone, Flags, record } = require(${JSON.stringify(root)});
        const time = Buffer.alloc(16);
        time.writeBigInt64LE(200_000_000n, 8);
        const program = (marker) => record((c) => { ${recorded.replace('process.argv[1]', 'marker')} });
        const started = [Flags.VM, Flags.NONE].map((flags, i) => clone(program(process.argv[1] + i), { flags }));
        const end = () => process.${ending};\`;
      const marker = fs.mkdtempSync(require('node:os').tmpdir() + '/nsclone-recorded-') + '/';
      const last = ${JSON.stringify(recorded === mark)} ? 'Promise.all(started).then(end);' : 'setTimeout(end, 30);';
      const { status, signal } = spawnSync(process.execPath, ['-e', source + last, marker], { stdio: ['ignore', 'ignore', 'inherit'] });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const ran = [0, 1].map((i) => fs.existsSync(marker + i));
      fs.rmSync(marker, { recursive: true });
      return [status, signal, ran];`);
  }

  test.each([
    ['exit(0)', 0, null],
    ["kill(process.pid, 'SIGKILL')", null, 'SIGKILL'],
  ])('they outlive a Node that ends with %s after it, and do not start after it', (ending, status, signal) => {
    expect(outlived(mark, ending)).toEqual([status, signal, [true, true]]);
    expect(outlived(`c.syscall('nanosleep', time, 0); ${mark}`, ending)).toEqual([status, signal, [false, false]]);
  });
});
