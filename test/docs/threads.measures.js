// Measures what docs/threads.md says, cell by cell. Runs in a process of its own, in namespaces of its own, without an address.
const { execFileSync } = require('node:child_process');
const dgram = require('node:dgram');
const dns = require('node:dns');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const { tmpdir } = require('node:os');
const { parentPort, Worker, workerData } = require('node:worker_threads');

const nsclone = require('../..');
const { slow } = require('../support/slow.js');

const { clone, Flags, Namespace, NamespaceWorker, run, runIn, setnsSync, unshareSync } = nsclone;

const flagOf = {
  net: Flags.NEWNET,
  uts: Flags.NEWUTS,
  ipc: Flags.NEWIPC,
  cgroup: Flags.NEWCGROUP,
  mnt: Flags.NEWNS,
  pid: Flags.NEWPID,
  user: Flags.NEWUSER,
  time: Flags.NEWTIME,
};
const link = (path) => fs.readlinkSync(`/proc/${path}`);
const own = (kind) => link(`thread-self/ns/${kind}`);
const nowhere = { stdio: 'ignore', parentDeathSignal: 'SIGKILL' };

// ---- which kinds

/** Calls `inside` with a target of this kind, and tells what it took: 'yes', 'for children', 'no'. */
async function kindsOf(call, kinds) {
  const answers = {};
  for (const kind of kinds) answers[kind] = await takes(call, kind);
  return answers;
}

async function takes(call, kind) {
  const flags = flagOf[kind];
  const ids = kind === 'user' ? { uidMap: 'root', gidMap: 'root' } : {};
  const child = await clone('sleep', ['infinity'], { ...nowhere, ...ids, flags });
  const target = { pid: child.pid, flags };
  try {
    if (call === 'clone') return await takesChild(kind, flags, target, ids);
    // Each in a thread of its own: what it has done to that is gone with it.
    const answers = [];
    if (call === 'NamespaceWorker') {
      for (const options of [{ join: target }, { flags }])
        answers.push(await answerOf(NamespaceWorker, { kind }, options));
    } else {
      answers.push(await answerOf(Worker, { call, kind, target }));
    }
    return one(answers);
  } catch (error) {
    if (nsclone.isArgumentError(error)) return 'no';
    throw error;
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

function one(answers) {
  return new Set(answers).size === 1 ? answers[0] : answers.join(' or ');
}

async function takesChild(kind, flags, target, ids) {
  const look = async (options) => (await run('readlink', [`/proc/self/ns/${kind}`], options)).stdout.trim();
  const theirs = link(`${target.pid}/ns/${kind}`);
  const isNew = (await look({ flags, ...ids })) !== own(kind);
  return isNew && (await look({ join: target })) === theirs ? 'yes' : 'no';
}

async function answerOf(Class, data, options = {}) {
  const before = [own(data.kind), ownForChildren(data.kind)];
  const worker = new Class(__filename, { workerData: { takes: true, before, ...data }, ...options });
  const [answer] = await once(worker, 'message');
  await worker.terminate();
  return answer;
}

function ownForChildren(kind) {
  try {
    return own(`${kind}_for_children`);
  } catch {
    // There is none of this kind, or no process in it yet.
    return '';
  }
}

/** In a Worker. */
function tellWhatItTakes({ call, kind, target, before }) {
  const look = () => {
    if (own(kind) !== before[0]) return 'yes';
    return ownForChildren(kind) !== before[1] ? 'for children' : 'nothing';
  };
  const calls = {
    unshare: () => (unshareSync(flagOf[kind]), look()),
    setns: () => (setnsSync(target), look()),
    runIn: () => runIn(target, look),
    undefined: look,
  };
  try {
    parentPort.postMessage(calls[call]());
  } catch (error) {
    if (!nsclone.isArgumentError(error)) throw error;
    parentPort.postMessage('no');
  }
}

// ---- what moves

/** A thread that was there before, and tells in between, synchronously, where it is. */
class Earlier {
  constructor(shared) {
    this.shared = shared;
  }

  static async start(kind) {
    const shared = new SharedArrayBuffer(256);
    const worker = new Worker(__filename, { workerData: { earlier: shared, kind } });
    await once(worker, 'message');
    worker.unref();
    return new Earlier(shared);
  }

  /** In that thread. */
  static answer(shared, kind) {
    const state = new Int32Array(shared, 0, 1);
    parentPort.postMessage('ready');
    for (;;) {
      Atomics.wait(state, 0, 0);
      const text = Buffer.from(own(kind));
      Buffer.from(shared, 4).fill(0).set(text);
      Atomics.store(state, 0, 0);
      Atomics.notify(state, 0);
    }
  }

  ask() {
    const state = new Int32Array(this.shared, 0, 1);
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
    Atomics.wait(state, 0, 1);
    return Buffer.from(this.shared, 4).toString().replace(/\0+$/, '');
  }
}

const workerSource = (kind) =>
  `require('node:worker_threads').parentPort.postMessage(require('node:fs').readlinkSync('/proc/thread-self/ns/${kind}'));`;

/**
 * Begins all measurements, in the thread and the moment that they are about. Each is a place, or a promise of one, as the kernel names
 * it, or 'here' and 'there'.
 */
function begin(kind, earlier) {
  const found = {
    'JavaScript, `node:fs` with `Sync`, `os.hostname`': own(kind),
    '`node:fs` without `Sync`, `fs.promises`, streams of files': fs.promises.readlink(`/proc/thread-self/ns/${kind}`),
    'Workers that were there before': earlier.ask(),
    'new Workers': newWorker(kind),
    '`child_process`': execFileSync('readlink', [`/proc/self/ns/${kind}`], { encoding: 'utf8' }).trim(),
    'children of `clone()`': run('readlink', [`/proc/self/ns/${kind}`]).then(({ stdout }) => stdout.trim()),
    '`process.chdir` moves': changeFolder(),
  };
  if (kind !== 'net') return found;
  return {
    ...found,
    '`dns.lookup`, so the names of all connections': lookup(),
    '`dns.resolve`': resolve(),
  };
}

function newWorker(kind) {
  let worker;
  try {
    worker = new Worker(workerSource(kind), { eval: true });
  } catch (error) {
    if (error.code !== 'ERR_WORKER_INIT_FAILED') throw error;
    return 'none can be started';
  }
  return once(worker, 'message').then(([place]) => place);
}

/** There is an address there, and none here: with ADDRCONFIG nothing is found then. */
function lookup() {
  return dns.promises.lookup('localhost', { family: 4, hints: dns.ADDRCONFIG }).then(
    () => 'there',
    () => 'here',
  );
}

/** A name server answers there, and none here. */
function resolve() {
  const resolver = new dns.promises.Resolver({ timeout: slow(20_000), tries: 1 });
  resolver.setServers(['127.0.0.1:5300']);
  return resolver.resolve4('a.name.test').then(
    () => 'there',
    () => 'here',
  );
}

function changeFolder() {
  try {
    process.chdir('/proc/sys');
  } catch (error) {
    if (error.code !== 'ERR_WORKER_UNSUPPORTED_OPERATION') throw error;
    return 'nobody';
  }
  return fs.promises
    .readlink('/proc/thread-self/cwd')
    .then((folder) => (folder === '/proc/sys' ? 'all threads' : 'this thread'));
}

/** Answers every question with one address. */
const nameServer = `
  const server = require('node:dgram').createSocket('udp4').bind(5300, '127.0.0.1', () => console.log('ready'));
  server.on('message', (question, from) => {
    const answer = Buffer.from(question.subarray(0, question.indexOf(0, 12) + 5));
    answer.writeUInt16BE(0x8180, 2);
    answer.writeUInt16BE(1, 6);
    answer.writeUInt32BE(0, 8);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    server.send(Buffer.concat([answer, record]), from.port, from.address);
  });`;

/** A network with an address and a name server. */
async function furnish(child) {
  const node = { join: child, parentDeathSignal: 'SIGKILL' };
  for (const line of ['link set lo up', 'address add 192.0.2.1/32 dev lo'])
    await run('ip', line.split(' '), { join: child });
  const server = await clone(process.execPath, ['-e', nameServer], { ...node, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  // It ends with this thread.
  server.stdout.destroy();
  server.unref();
  // Both questions have another answer in a process that is there.
  const control = `Promise.all([(${lookup})(), (${resolve})()]).then((answers) => console.log(String(answers)))`;
  const script = `const dns = require('node:dns'); const slow = (time) => time; ${control};`;
  const { stdout } = await run(process.execPath, ['-e', script], { join: child });
  if (stdout !== 'there,there\n') throw new Error(`the questions are no good: ${stdout}`);
}

/** What each row of the table is for one call, by kind of namespace. */
async function moves(call, kinds) {
  process.chdir(tmpdir());
  const flags = kinds.reduce((all, kind) => all | flagOf[kind], 0);
  const child = await clone('sleep', ['infinity'], { ...nowhere, flags });
  if (kinds.includes('net')) await furnish(child);
  const earlier = await Promise.all(kinds.map((kind) => Earlier.start(kind)));
  const here = kinds.map(own);
  const found = await afterMove(call, kinds, earlier, { pid: child.pid, flags });
  const there = call === 'unshare' ? kinds.map(own) : kinds.map((kind) => link(`${child.pid}/ns/${kind}`));
  child.kill('SIGKILL');
  await child.exited;
  const rowsOf = (index) => {
    const words = { [here[index]]: 'here', [there[index]]: 'there' };
    return Object.fromEntries(Object.entries(found[index]).map(([row, place]) => [row, words[place] ?? place]));
  };
  return Object.fromEntries(kinds.map((kind, index) => [kind, rowsOf(index)]));
}

async function afterMove(call, kinds, earlier, target) {
  const beginAll = () => kinds.map((kind, index) => begin(kind, earlier[index]));
  if (call === 'NamespaceWorker') {
    const data = { moves: kinds, shared: earlier.map(({ shared }) => shared) };
    const worker = new NamespaceWorker(__filename, { workerData: data, join: target });
    const [found] = await once(worker, 'message');
    return found;
  }
  if (call === 'runIn') return Promise.all(runIn(target, () => ({ begun: beginAll() })).begun.map(settle));
  if (call === 'setns') setnsSync(target);
  else await leave(kinds, target.flags);
  return Promise.all(beginAll().map(settle));
}

/** A new network is furnished as the other one is. */
async function leave(kinds, flags) {
  unshareSync(flags);
  if (!kinds.includes('net')) return;
  const namespace = Namespace.current('net');
  await furnish(namespace);
}

async function settle(found) {
  const entries = Object.entries(found).map(async ([row, place]) => [row, await place]);
  return Object.fromEntries(await Promise.all(entries));
}

/** In a mount namespace without a file of hosts: who finds a host is not in there. */
async function lookupWithoutHosts() {
  const child = await clone('/bin/sleep', ['infinity'], {
    ...nowhere,
    flags: Flags.NEWNS,
    root: { type: 'tmpfs' },
    mounts: [
      { type: 'bind', source: '/usr', target: '/usr', create: true },
      ...['bin', 'lib', 'lib64'].map((name) => ({ type: 'symlink', target: `/${name}`, to: `usr/${name}` })),
    ],
  });
  setnsSync({ pid: child.pid, flags: Flags.NEWNS });
  if (fs.existsSync('/etc/hosts')) throw new Error('there are hosts');
  const found = await dns.promises.lookup('localhost').then(
    () => 'here',
    () => 'there',
  );
  child.kill('SIGKILL');
  await child.exited;
  return found;
}

async function afterFirstChild() {
  const home = Namespace.current('pid');
  unshareSync(Flags.NEWPID);
  const shell = () => execFileSync('/bin/sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim();
  const first = shell();
  let second;
  try {
    second = shell();
  } catch (error) {
    second = error.code;
  }
  setnsSync(home);
  return [first, second, Number(shell()) > 1 ? 'back' : 'lost'];
}

// ---- sockets

async function sockets() {
  const child = await clone('sleep', ['infinity'], { ...nowhere, flags: Flags.NEWNET, loopback: true });
  const home = Namespace.current('net');
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const inside = child.namespace('net');
  const inodes = (where) =>
    runIn(where, () =>
      ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) =>
        fs
          .readFileSync(`/proc/thread-self/net/${table}`, 'utf8')
          .split('\n')
          .slice(1)
          .map((line) => line.trim().split(/\s+/)[9]),
      ),
    );
  const open = () =>
    fs.readdirSync('/proc/self/fd').flatMap((number) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/self/fd/${number}`))?.[1] ?? [];
      } catch {
        // That of the listing itself.
        return [];
      }
    });
  const known = new Set(open());
  /** Where the socket is that has come since. */
  const placeOfNew = () => {
    const found = open().filter((inode) => !known.has(inode));
    found.forEach((inode) => known.add(inode));
    if (found.length !== 1) throw new Error(`${found.length} sockets`);
    return ['there', 'here'].find((_, index) => inodes([inside, home][index]).includes(found[0]));
  };
  const listening = async (server) => {
    await once(server, 'listening');
    return placeOfNew();
  };
  const answers = {
    '`server.listen(port)`': await listening(runIn(inside, () => net.createServer().listen(4001))),
    '`server.listen(port, host)`': await listening(runIn(inside, () => net.createServer().listen(4002, '127.0.0.1'))),
    '`socket.bind` of `node:dgram`': await listening(runIn(inside, () => dgram.createSocket('udp4').bind(4003))),
  };
  const lookup = (_host, _options, callback) => callback(null, '0.0.0.0', 4);
  // 'listening' is told before anybody can hear it.
  runIn(inside, () => dgram.createSocket({ type: 'udp4', lookup }).bind(4004));
  answers['`socket.bind` with a `lookup` that calls back at once'] = placeOfNew();
  answers['`net.connect`, and with it `node:http` and `fetch`'] = one([
    await connected(inside, () => net.connect(4001, '127.0.0.1')),
    await connected(inside, () => require('node:http').get('http://127.0.0.1:4001')),
    await fetched(inside),
  ]);
  const toName = {
    host: 'there',
    port: 4001,
    lookup: (_host, options, callback) =>
      options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4),
  };
  answers['`net.connect` to a name, with a `lookup` that calls back at once'] = one([
    await connected(inside, () => net.connect({ ...toName, autoSelectFamily: true })),
    await connected(inside, () => net.connect({ ...toName, autoSelectFamily: false })),
  ]);
  child.kill('SIGKILL');
  await child.exited;
  // The servers are still there.
  setImmediate(() => process.exit());
  return answers;
}

/** A server listens there, and none here. */
function connected(inside, connect) {
  const socket = runIn(inside, connect);
  return new Promise((resolve) => {
    socket
      .once('connect', () => resolve('there'))
      .once('error', ({ code }) => resolve(code === 'ECONNREFUSED' ? 'here' : 'there'));
  });
}

function fetched(inside) {
  const { begun } = runIn(inside, () => ({
    begun: fetch('http://127.0.0.1:4001', { signal: AbortSignal.timeout(slow(5000)) }),
  }));
  return begun.then(
    () => 'there',
    ({ cause }) => (cause?.code === 'ECONNREFUSED' ? 'here' : 'there'),
  );
}

// ---- in Workers of this file

if (workerData?.takes) tellWhatItTakes(workerData);
if (workerData?.earlier) Earlier.answer(workerData.earlier, workerData.kind);
if (workerData?.moves) {
  const begun = workerData.moves.map((kind, index) => begin(kind, new Earlier(workerData.shared[index])));
  void Promise.all(begun.map(settle)).then((found) => parentPort.postMessage(found));
}

module.exports = { afterFirstChild, kindsOf, lookupWithoutHosts, moves, sockets };
