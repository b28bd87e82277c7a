// Who answers the notifications of a filter, as a process beside the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import type { SeccompProfile, SyscallError } from '../../lib';
import { compiled } from '../support/compiled';
import { temporaryFolder } from '../support/temporary-folder';

/** What `supervise.c` is to do. */
export type How = number | 'pretend' | 'silent' | 'drop' | 'refuse' | 'deaf' | 'slow';

/** What it was told of the process. */
export interface State {
  readonly ociVersion: string;
  readonly fds: readonly string[];
  readonly pid: number;
  readonly metadata?: string;
  readonly state: { readonly ociVersion: string; readonly id: string; readonly pid: number; readonly status: string };
}

export interface Supervisor {
  readonly path: string;
  /** Closes its stdin. */
  tell(): void;
  /** What it has said by its end. */
  ended(): Promise<{ state: State | undefined; descriptors: number; asked: { number: number; pid: number }[] }>;
}

/** Undefined for what was never sent, or not to its end. */
function parsed(text: string | undefined): State | undefined {
  return text?.endsWith('}') ? (JSON.parse(text) as State) : undefined;
}

/** Supervisors for the tests of a file; those that are left are ended with their test. */
export function supervisors(): (how: How) => Promise<Supervisor> {
  const program = compiled('seccomp/supervise');
  const folder = temporaryFolder();
  const running: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  return async (how) => {
    const path = folder.at(`socket-${running.length}`);
    const child = spawn(program.path, [path, String(how)], { stdio: ['pipe', 'pipe', 'inherit'] });
    running.push(child);
    const closed = once(child, 'close');
    await once(child.stdout, 'readable');
    const output = text(child.stdout);
    return {
      path,
      tell: () => void child.stdin.end(),
      async ended() {
        const lines = (await output).trimEnd().split('\n');
        await closed;
        const [, state, count, ...asked] = lines;
        return {
          state: parsed(state),
          descriptors: Number(count),
          asked: asked.map((line) => {
            const [number, , pid] = line.split(' ').map(Number);
            return { number: number!, pid: pid! };
          }),
        };
      },
    };
  };
}

/** A profile that notifies of these calls. */
export function notifying(listenerPath: string, ...names: string[]): SeccompProfile {
  return { defaultAction: 'SCMP_ACT_ALLOW', listenerPath, syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }] };
}

/** What a call rejects with. */
export function failureOf(call: Promise<unknown>): Promise<SyscallError> {
  return call.then(
    () => {
      throw new Error('it started');
    },
    (error: SyscallError) => error,
  );
}
