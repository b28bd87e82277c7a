// Starts children by the thousand and tells what has grown: node --expose-gc test/robustness/soak.js [CLONES] [WITH_WORKERS]
const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const { children, descriptors, settled, sleep } = require('./left.js');

const root = join(__dirname, '../..');
const { clone, Flags } = require(root);

const atOnce = 16;
const container = {
  flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWCGROUP,
  uidMap: 'root',
  gidMap: 'root',
  hostname: 'box',
  loopback: true,
  stdio: 'ignore',
};

async function endOf(child, code) {
  const end = await child.exited;
  if (end.code !== code || end.signal !== null)
    throw new Error(`told ${end.code} and ${end.signal} in the place of ${code}`);
}

/** One child of each sort; every one checks its own end. */
const sorts = [
  async (code) => endOf(await clone('/bin/sh', ['-c', `exit ${code}`], { stdio: 'ignore' }), code),
  async (code) => endOf(await clone('/bin/sh', ['-c', `exit ${code}`], container), code),
  // Untouched pipes, one of them with more in it than a pipe holds, are drained.
  async (code) => endOf(await clone('/bin/sh', ['-c', `echo text; exit ${code}`]), code),
  async (code) => {
    const child = await clone('/bin/sh', ['-c', `cat; echo text >&2; exit ${code}`]);
    child.stdin.end('some input');
    const read = async (stream) => {
      let text = '';
      for await (const part of stream) text += part;
      return text;
    };
    const [output, problems] = await Promise.all([read(child.stdout), read(child.stderr), endOf(child, code)]);
    if (output !== 'some input' || problems !== 'text\n') throw new Error(`read ${output} and ${problems}`);
  },
  async () => {
    const error = await clone('/no/such/command').then(
      () => undefined,
      (reason) => reason,
    );
    if (error?.code !== 'ENOENT') throw new Error('a missing command has started', { cause: error });
  },
  async () => {
    const error = await clone('/no/such/command', [], container).then(
      () => undefined,
      (reason) => reason,
    );
    if (error?.code !== 'ENOENT') throw new Error('a missing command has started', { cause: error });
  },
  async () => {
    const child = await clone('/bin/sleep', ['100'], container);
    child.kill('SIGKILL');
    const { signal } = await child.exited;
    if (signal !== 'SIGKILL') throw new Error(`told ${signal} in the place of SIGKILL`);
  },
];

async function cloneMany(count) {
  for (let done = 0; done < count; done += atOnce) {
    await Promise.all(
      Array.from({ length: Math.min(atOnce, count - done) }, (_, i) =>
        sorts[(done + i) % sorts.length]((done + i) % 256),
      ),
    );
  }
}

const workerSource = `
  const { clone, Flags } = require(${JSON.stringify(root)});
  const { parentPort } = require('node:worker_threads');
  (async () => {
    const started = Array.from({ length: 8 }, (_, i) => clone('/bin/sh', ['-c', 'exit ' + i], i % 2 ? { flags: Flags.NEWUSER | Flags.NEWPID } : {}));
    const ends = await Promise.all(started.map(async (child) => (await (await child).exited).code));
    parentPort.postMessage(ends.join());
    await clone('/bin/sleep', ['100']);
    clone('/bin/sleep', ['100']);
    process.exit(0);
  })();`;

/** A Worker that leaves two children behind. @returns how many it started */
async function oneWorker() {
  const worker = new Worker(workerSource, { eval: true });
  const said = [];
  worker.on('message', (message) => said.push(message));
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  if (said.join() !== '0,1,2,3,4,5,6,7') throw new Error(`a Worker told the ends ${said}`);
  return 10;
}

async function besideOthers() {
  const child = spawn('/bin/sh', ['-c', 'exit 9'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 9) throw new Error(`child_process told ${code}`);
}

async function withWorkers(count) {
  for (let done = 0; done < count;) {
    const [one, two] = await Promise.all([
      oneWorker(),
      oneWorker(),
      besideOthers(),
      besideOthers(),
      cloneMany(sorts.length),
    ]);
    done += one + two;
  }
}

async function measure() {
  const { children: left } = await settled(1e6);
  globalThis.gc?.();
  await sleep(200);
  globalThis.gc?.();
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    descriptors: descriptors().length,
    children: left.length,
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)[1]),
    mappings: readFileSync('/proc/self/maps', 'utf8').split('\n').length,
    residentKiB: Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]),
    zombies: children().filter((child) => child.endsWith('Z')).length,
  };
}

async function main() {
  const [clones, workers] = process.argv.slice(2).map(Number);
  // What is opened and mapped once and for all: pools, arenas of malloc, the heaps of the first Workers.
  await cloneMany(200 + clones / 2);
  await withWorkers(100);
  const before = await measure();
  const from = performance.now();
  await cloneMany(clones);
  const between = await measure();
  await withWorkers(workers);
  const after = await measure();
  console.log(
    JSON.stringify({ clones, workers, seconds: Math.round((performance.now() - from) / 1000), before, between, after }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
