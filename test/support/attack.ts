// What the attacks of test/trust/ have in common: containers that they are root of, bystanders.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import type { Readable } from 'node:stream';

import { type CloneOptions, Flags } from '../../lib';
import { rootOnly } from './capability';
import { compiler } from './compiled';
import { slow, until } from './slow';

type Body = Parameters<typeof rootOnly>[1];

/** As `test()`, for what needs a hostile program that is root of the host. */
export function rootWithCompiler(name: string, body: Body): void {
  if (compiler === undefined) test.skip(`${name} (skipped: needs a C compiler)`, body);
  else rootOnly(name, body);
}

/**
 * A container whose root is root of its own user namespace, and one whose root is that of the host. Nothing in their
 * set-up waits for Node.
 */
export const containers = {
  'root of a user namespace': {
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS,
    uidMap: 'root',
    gidMap: 'root',
    setgroups: 'deny',
    mounts: [{ type: 'proc', target: '/proc' }],
  },
  'root of the host': { flags: Flags.NEWPID | Flags.NEWNS, mounts: [{ type: 'proc', target: '/proc' }] },
} as const satisfies Record<string, CloneOptions>;

/** In seconds, for sleep(1): longer than a script may take. Who sleeps so long ends by himself too, where nobody ends him. */
export const longer = String(slow(40));

/** By where it waits in the kernel; where that is not told, by what it is and that it waits. */
function sleeps(pid: number): boolean {
  const where = readFileSync(`/proc/${pid}/wchan`, 'utf8');
  if (where !== '0') return where.includes('nanosleep');
  return /^\d+ \(sleep\) S /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** Waits until it is asleep in the sleep(1) that it is: what it had to read to start is read, and closed. */
export function asleep(pid: number): Promise<boolean> {
  return until(() => sleeps(pid));
}

/** For an ordinary user: what turns a script's Node into root of a user namespace. */
export const asRoot: readonly string[] = process.geteuid!() === 0 ? [] : ['unshare', '--user', '--map-root-user'];

/** What a stream says up to its next end of line. */
export async function nextLine(stream: Readable): Promise<string> {
  let text = '';
  while (!text.includes('\n')) {
    const [part] = (await Promise.race([
      once(stream, 'data'),
      once(stream, 'end').then(() => {
        throw new Error(`the stream ended after '${text}'`);
      }),
    ])) as [Buffer];
    text += part.toString();
  }
  return text.slice(0, text.indexOf('\n'));
}

/** Processes of the host that have nothing to do with us. */
export class Bystanders {
  readonly #shell: ChildProcess;
  readonly pids: readonly number[];

  private constructor(shell: ChildProcess, pids: readonly number[]) {
    this.#shell = shell;
    this.pids = pids;
  }

  /** They are no children of Node: nobody but their shell may reap them. */
  static async start(count: number): Promise<Bystanders> {
    const script = `i=0; while [ $i -lt ${count} ]; do sleep ${longer} >&2 & pids="$pids $!"; i=$((i+1)); done; echo $pids; wait`;
    const shell = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pids = (await nextLine(shell.stdout)).split(' ').map(Number);
    await until(() => pids.every(isSleeping));
    return new Bystanders(shell, pids);
  }

  /** Those that somebody has ended. */
  dead(): number[] {
    return this.pids.filter((pid) => !isSleeping(pid));
  }

  async end(): Promise<void> {
    for (const pid of this.pids) if (isSleeping(pid)) process.kill(pid, 'SIGKILL');
    if (this.#shell.exitCode === null && this.#shell.signalCode === null) await once(this.#shell, 'exit');
  }
}

/** Whether it is still the sleep(1) that we have started. */
function isSleeping(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^Name:\tsleep$/m.test(status) && !/^State:\t[ZX]/m.test(status);
  } catch {
    return false;
  }
}

/** The path of a cgroup of our own, to be made in a hierarchy of cgroup v2; undefined where we may make none. */
export function ownCgroup(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    if (!line.includes(' - cgroup2 ')) continue;
    try {
      const folder = mkdtempSync(`${line.split(' ')[4]}/nsclone-trust-`);
      rmdirSync(folder);
      return folder;
    } catch {
      // Not ours to write.
    }
  }
  return undefined;
}
