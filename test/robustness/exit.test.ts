// Node's own end: what has started lives on, what is in set-up starts no program.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { withCapability } from '../support/capability';
import { root } from '../support/own-process';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-exit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const markers = (): string[] => readdirSync(folder);

/** A Node of its own session, so that its children are found when it is gone; `mark` is a command that leaves its pid. */
function start(source: string): ChildProcess {
  const script = `
    const { clone, Flags } = require(${JSON.stringify(root)});
    const mark = ['/bin/sh', ['-c', 'echo > ${folder}/$$']];
    const namespaces = { flags: Flags.NEWUSER | Flags.NEWNET | Flags.NEWIPC | Flags.NEWUTS | Flags.NEWNS, uidMap: 'root', stdio: 'ignore' };
    // The gid map is written by a privileged Node: until it comes to that, the stub waits.
    const waiting = { ...namespaces, gidMap: 'root' };
    (async () => { ${source} })();`;
  return spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
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

async function untilEmpty(session: number): Promise<number> {
  for (const end = Date.now() + 10_000; members(session).size > 0 && Date.now() < end;) await sleep(5);
  return members(session).size;
}

async function untilStopped(pid: number): Promise<void> {
  while (!/^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) await sleep(5);
}

describe('started children', () => {
  test.each([
    ['the natural end', 'child.unref();'],
    ['process.exit()', 'process.exit();'],
    ['SIGKILL', "process.kill(process.pid, 'SIGKILL');"],
    ['an uncaught exception', "setTimeout(() => { throw new Error('end'); });"],
  ])('outlive Node after %s', async (_how, end) => {
    const node = start(`
      const child = await clone('/bin/sh', ['-c', 'sleep 0.3; echo > ${folder}/$$'], { stdio: 'ignore' });
      ${end}`);
    await once(node, 'exit');
    expect(markers()).toEqual([]);
    expect(await untilEmpty(node.pid!)).toBe(0);
    expect(markers()).toHaveLength(1);
  });
});

describe('children that wait in set-up', () => {
  const several =
    'for (let i = 0; i < 5; i++) clone(...mark, i % 2 ? waiting : { ...waiting, flags: waiting.flags | Flags.NEWPID }).catch(() => {});';

  withCapability('CAP_SETGID', 'start nothing when Node exits', async () => {
    const node = start(`${several} process.exit();`);
    await once(node, 'exit');
    expect(await untilEmpty(node.pid!)).toBe(0);
    expect(markers()).toEqual([]);
  });

  withCapability(
    'CAP_SETGID',
    'start nothing when a stopped Node is killed, however long they have waited',
    async () => {
      const node = start(`${several} process.kill(process.pid, 'SIGSTOP');`);
      await untilStopped(node.pid!);
      while (members(node.pid!).size < 5) await sleep(5);
      await sleep(100);
      expect([...members(node.pid!).values()]).toEqual(
        Array.from({ length: 5 }, () => expect.stringMatching(/^nsclone\//)),
      );
      node.kill('SIGKILL');
      await once(node, 'exit');
      expect(await untilEmpty(node.pid!)).toBe(0);
      expect(markers()).toEqual([]);
    },
  );

  withCapability('CAP_SETGID', 'go on with a Node that goes on', async () => {
    const node = start(`${several} process.kill(process.pid, 'SIGSTOP');`);
    await untilStopped(node.pid!);
    await sleep(50);
    node.kill('SIGCONT');
    await once(node, 'exit');
    expect(await untilEmpty(node.pid!)).toBe(0);
    // Those in a pid namespace all have the pid 1.
    expect(markers()).toHaveLength(3);
  });
});

describe('children at any stage', () => {
  /** Kills a Node that starts one child after the other; returns how many of those still in the stub started a program. */
  async function lateStarts(end: (node: ChildProcess) => void): Promise<number> {
    const node = start(`
      console.log('ready');
      for (;;) {
        const children = await Promise.all(Array.from({ length: 12 }, () => clone(...mark, namespaces)));
        await Promise.all(children.map((child) => child.exited));
      }`);
    await once(node.stdout!, 'data');
    await sleep(Math.random() * 60);
    end(node);
    await once(node, 'exit');
    const inStub = [...members(node.pid!)]
      .filter(([, name]) => name.startsWith('nsclone/'))
      .map(([pid]) => String(pid));
    expect(await untilEmpty(node.pid!)).toBe(0);
    const late = markers().filter((pid) => inStub.includes(pid)).length;
    for (const pid of markers()) rmSync(join(folder, pid));
    return late;
  }

  test('start nothing, and are gone, when Node is killed', async () => {
    let late = 0;
    for (let round = 0; round < 20; round++) late += await lateStarts((node) => node.kill('SIGKILL'));
    // Of 240. Between the last look at the parent and execve(2) lie a few instructions, in which a process may be preempted:
    // the death signal must be off by then, or every child would die with its Worker.
    expect(late).toBeLessThanOrEqual(8);
  });

  test('start nothing, and are gone, when Node is stopped, and killed then', async () => {
    let late = 0;
    for (let round = 0; round < 6; round++) {
      late += await lateStarts((node) => {
        node.kill('SIGSTOP');
        setTimeout(() => node.kill('SIGKILL'), Math.random() * 20);
      });
    }
    expect(late).toBeLessThanOrEqual(2);
  });
});
