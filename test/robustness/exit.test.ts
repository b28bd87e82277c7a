// Node's own end: what has started lives on, what is in set-up starts no program.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type CloneOptions, Flags, plan } from '../../lib';
import { namespaceMask } from '../../lib/flags';
import { isAsleep } from '../support/alive';
import { nodeKilled } from '../support/fault';
import { owned } from '../support/inside';
import { lasting } from '../support/lasting';
import { isCall, type Line, linesOf } from '../support/listing';
import { root, withTestBuild } from '../support/own-process';
import { until } from '../support/slow';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-exit-'));
});
// Of a test that has failed one may still be there, stopped even.
const nodes = new Set<ChildProcess>();
afterEach(() => {
  for (const node of nodes) node.kill('SIGKILL');
  nodes.clear();
  rmSync(folder, { recursive: true });
});

const markers = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('start'));

/** A FIFO to wait for, and one for its report. */
function fifoOf(name: string): string {
  const path = join(folder, `start-${name}`);
  execFileSync('mkfifo', [path, `${path}.report`]);
  return path;
}

/** A Node of its own session, so that its children are found when it is gone; `mark` is a command that leaves its pid. */
function start(source: string): ChildProcess {
  const script = `
    ${withTestBuild}
    const { clone, Flags, plan } = require(${JSON.stringify(root)});
    const mark = ['/bin/sh', ['-c', 'echo > ${folder}/$$']];
    const { openSync, writeSync } = require('node:fs');
    const waitForByte = (path, isThere) => {
      const fd = openSync(path, 'r+');
      if (isThere) writeSync(fd, 'x');
      return { fd, report: openSync(path + '.report', 'r+') };
    };
    (async () => { ${source} })();`;
  const node = spawn(process.execPath, ['-e', script], { detached: true, stdio: 'ignore' });
  nodes.add(node);
  return node;
}

/** The processes of a session but its leader, as pid and name. */
function members(session: number): Map<number, string> {
  const found = new Map<number, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, , , own] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(own) !== session || Number(pid) === session || state === 'Z') continue;
      found.set(Number(pid), stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

const untilEmpty = (session: number): Promise<boolean> => until(() => members(session).size === 0);

const untilStopped = (pid: number): Promise<boolean> =>
  until(() => /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));

describe('started children', () => {
  test.each([
    ['the natural end', 'child.unref();'],
    ['process.exit()', 'process.exit();'],
    ['SIGKILL', "process.kill(process.pid, 'SIGKILL');"],
    ['an uncaught exception', "setTimeout(() => { throw new Error('end'); });"],
  ])('outlive Node after %s', async (_how, end) => {
    const told = lasting();
    const node = start(`
      const child = await clone('/bin/sh', ['-c', '${told.wait}; echo > ${folder}/$$'], { stdio: 'ignore' });
      ${end}`);
    await once(node, 'exit');
    expect(markers()).toEqual([]);
    told.end();
    await untilEmpty(node.pid!);
    expect(markers()).toHaveLength(1);
  });
});

describe('children that wait for Node in set-up', () => {
  const several = `
    const held = { flags: Flags.NEWUSER | Flags.NEWNET | Flags.NEWIPC | Flags.NEWUTS | Flags.NEWNS, uidMap: 'root', stdio: 'ignore', hold: true };
    for (let i = 0; i < 5; i++) {
      clone(...mark, i % 2 ? held : { ...held, flags: held.flags | Flags.NEWPID }).then((child) => child.start(), () => {});
    }`;
  /** All five have come to their wait, where a Node that is stopped lets them be. */
  const untilHeld = (node: ChildProcess): Promise<boolean> =>
    until(() => {
      const there = [...members(node.pid!)];
      return there.length === 5 && there.every(([pid, name]) => name.startsWith('nsclone/') && isAsleep(pid));
    });

  test('start nothing when Node exits', async () => {
    const node = start(`${several} process.exit();`);
    await once(node, 'exit');
    await untilEmpty(node.pid!);
    expect(markers()).toEqual([]);
  });

  test('start nothing when a stopped Node is killed, however long they have waited', async () => {
    const node = start(`${several} process.kill(process.pid, 'SIGSTOP');`);
    await untilStopped(node.pid!);
    await untilHeld(node);
    node.kill('SIGKILL');
    await once(node, 'exit');
    await untilEmpty(node.pid!);
    expect(markers()).toEqual([]);
  });

  test('go on with a Node that goes on', async () => {
    const node = start(`${several} process.kill(process.pid, 'SIGSTOP');`);
    await untilStopped(node.pid!);
    await untilHeld(node);
    node.kill('SIGCONT');
    await once(node, 'exit');
    await untilEmpty(node.pid!);
    // Those in a pid namespace all have the pid 1.
    expect(markers()).toHaveLength(3);
  });
});

type Outcome = 'nothing ran' | 'it ran' | 'not reached';

/** What comes of a plan whose Node is killed when its child comes to this instruction, while the child goes on. */
async function outcomeAt({ number }: Line, options: CloneOptions): Promise<Outcome> {
  const marker = `at-${number}`;
  const node = start(`
    const options = ${JSON.stringify(options)};
    if (${isByDescriptor(options)}) options.hold = waitForByte(${JSON.stringify(fifoOf(marker))}, true);
    // The first child opens what takes the fault.
    await (await clone('/bin/true')).exited;
    if (require(process.env.NSCLONE_ADDON).setFault(${number}, ${nodeKilled}) !== 0) process.exit(1);
    const child = await clone('/bin/sh', ['-c', 'echo > ${folder}/${marker}'], options);
    if (${options.hold === true}) await child.start();
    await child.exited;
    process.exit(9);`);
  await once(node, 'exit');
  await untilEmpty(node.pid!);
  if (node.exitCode === 9) return 'not reached';
  expect([node.exitCode, node.signalCode]).toEqual([null, 'SIGKILL']);
  return markers().includes(marker) ? 'it ran' : 'nothing ran';
}

const isByDescriptor = ({ hold }: CloneOptions): boolean => typeof hold === 'object' && !Array.isArray(hold);

/** The outcomes at all of these, several at once. */
async function outcomesAt(lines: readonly Line[], options: CloneOptions): Promise<Map<Line, Outcome>> {
  const found = new Map<Line, Outcome>();
  const left = [...lines];
  const work = async (): Promise<void> => {
    for (let line = left.shift(); line !== undefined; line = left.shift()) {
      found.set(line, await outcomeAt(line, options));
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return found;
}

describe.each<[string, CloneOptions]>([
  ['a command', {}],
  [
    'one in all namespaces, with ids of its own',
    {
      ...owned(namespaceMask),
      hostname: 'box',
      loopback: true,
      mounts: [{ type: 'proc', target: '/proc' }],
      uid: 0,
      gid: 0,
    },
  ],
  ['one that is held', { ...owned(Flags.NEWPID), hold: true }],
  ['one beside a pid 1', { ...owned(Flags.NEWPID | Flags.NEWUTS), init: true }],
])('%s, at whichever instruction Node dies', (_name, given) => {
  const options: CloneOptions = { ...given, stdio: 'ignore' };
  const lines = linesOf(plan('/bin/sh', ['-c', 'exit'], options)).filter(isCall);
  const last = lines.findLastIndex(({ call }) => /^(?:recvfrom|sendto)\(channel, /.test(call));

  test(`starts nothing, up to its last look at Node (${last + 1})`, async () => {
    const outcomes = await outcomesAt(lines.slice(0, last + 1), options);
    expect([...outcomes].filter(([, outcome]) => outcome !== 'nothing ran')).toEqual([]);
    expect(outcomes.size).toBe(last + 1);
  });

  // The signal of Node's death is off by then, or every child would die with its Worker.
  test(`behind that only signals and the exec are left, which nothing can promise (${lines.length - last - 1})`, async () => {
    const rest = lines.slice(last + 1);
    expect(lines[last]!.step).toBe('parentDeathSignal');
    expect(rest.map(({ step }) => step)).toEqual(['signal mask', 'command', 'command']);
    const outcomes = [...(await outcomesAt(rest, options)).values()].toSorted();
    // A pid 1 dies with Node, and takes a program with it that has not come to do anything yet.
    const ran = options.init === true ? expect.stringMatching(/ran$/) : 'it ran';
    const never = outcomes.indexOf('not reached');
    expect(outcomes.toSpliced(never, 1)).toEqual([ran, ran]);
    expect(never).not.toBe(-1);
  });
});

describe('a child that waits for a byte', () => {
  const ways: [string, string][] = [
    ['the natural end', 'child.unref();'],
    ['process.exit()', 'process.exit();'],
    ['process.exit() in the same moment', ''],
    ['SIGKILL', "process.kill(process.pid, 'SIGKILL');"],
    ['an uncaught exception', "setTimeout(() => { throw new Error('end'); });"],
    ['a timeout of its own that is not over', 'setTimeout(() => process.exit(), 10);'],
  ];
  const kinds: [string, CloneOptions][] = [
    ['alone', {}],
    ['in a pid namespace', owned(Flags.NEWPID)],
    ['beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
    ['which has its own limits', { timeout: 60_000, detached: true }],
  ];
  test.each(ways.flatMap(([way, end]) => kinds.map(([kind, options]) => [way, kind, end, options] as const)))(
    'outlives Node after %s, %s, and is executed when it comes',
    async (_way, _kind, end, options) => {
      const fifo = fifoOf('one');
      const node = start(`
        const options = { ...${JSON.stringify(options)}, stdio: 'ignore', hold: waitForByte('${fifo}', false) };
        const promise = clone(...mark, options);
        if (${end === ''}) promise.then(() => process.exit());
        const child = await promise;
        ${end}`);
      await once(node, 'exit');
      // In a session of its own it is not among them. The one between it and Node is gone a moment later.
      const count = options.detached === true ? 0 : 1;
      let left: number[] = [];
      await until(() => (left = [...members(node.pid!).keys()]).length === count);
      await until(() => left.every(isAsleep));
      expect(markers()).toEqual([]);
      writeFileSync(fifo, 'x');
      await until(() => markers().length === 1);
      await untilEmpty(node.pid!);
    },
  );

  test('outlives its Worker', async () => {
    const fifo = fifoOf('one');
    const node = start(`
      const source = \`
        const { workerData: { root, mark, fifo } } = require('node:worker_threads');
        const hold = { fd: require('node:fs').openSync(fifo, 'r+') };
        require(root).clone(...mark, { stdio: 'ignore', hold }).then(() => process.exit());\`;
      const { Worker } = require('node:worker_threads');
      const workerData = { root: ${JSON.stringify(root)}, mark, fifo: '${fifo}' };
      await require('node:events').once(new Worker(source, { eval: true, workerData }), 'exit');
      writeSync(openSync('${fifo}', 'r+'), 'x');`);
    await once(node, 'exit');
    await until(() => markers().length === 1);
    await untilEmpty(node.pid!);
  });

  test('dies with a Node that was never told', async () => {
    const fifo = fifoOf('one');
    const node = start(`
      clone(...mark, { stdio: 'ignore', hold: waitForByte('${fifo}', true) });
      process.kill(process.pid, 'SIGSTOP');`);
    await untilStopped(node.pid!);
    await until(() => {
      const [child] = members(node.pid!).keys();
      return child !== undefined && isAsleep(child);
    });
    node.kill('SIGKILL');
    await once(node, 'exit');
    await untilEmpty(node.pid!);
    expect(markers()).toEqual([]);
  });

  test('dies with a Node that exits in the same moment', async () => {
    const fifo = fifoOf('one');
    const node = start(`clone(...mark, { stdio: 'ignore', hold: waitForByte('${fifo}', true) }); process.exit();`);
    await once(node, 'exit');
    await untilEmpty(node.pid!);
    expect(markers()).toEqual([]);
  });

  test('keeps Node running while nobody lets go of it', async () => {
    const fifo = fifoOf('one');
    const node = start(`
      const child = await clone(...mark, { stdio: 'ignore', hold: waitForByte('${fifo}', false) });
      child.on('exit', (code) => (process.exitCode = code + 20));`);
    await until(() => [...members(node.pid!).keys()].some(isAsleep));
    writeFileSync(fifo, 'x');
    expect(await once(node, 'exit')).toEqual([20, null]);
  });

  describe.each<[string, CloneOptions]>([
    ['a command', {}],
    ['one in namespaces, with ids of its own', { ...owned(Flags.NEWPID | Flags.NEWNS), uid: 0, gid: 0 }],
    ['one beside a pid 1', { ...owned(Flags.NEWPID | Flags.NEWUTS), init: true }],
  ])('%s, at whichever instruction Node dies', (_name, given) => {
    const options: CloneOptions = { ...given, stdio: 'ignore', hold: { fd: 50, report: 51 } };
    const lines = linesOf(plan('/bin/sh', ['-c', 'exit'], options)).filter(isCall);
    const told = lines.findLastIndex(({ step, call }) => step.startsWith('hold') && call.startsWith('wait for'));

    test(`starts nothing, up to where Node is told (${told + 1})`, async () => {
      const outcomes = await outcomesAt(lines.slice(0, told + 1), options);
      expect([...outcomes].filter(([, outcome]) => outcome !== 'nothing ran')).toEqual([]);
      expect(outcomes.size).toBe(told + 1);
    });

    test(`runs from then on (${lines.length - told - 2})`, async () => {
      const outcomes = await outcomesAt(lines.slice(told + 1, -1), options);
      expect([...outcomes].filter(([, outcome]) => outcome !== 'it ran')).toEqual([]);
      expect(outcomes.size).toBe(lines.length - told - 2);
    });
  });
});
