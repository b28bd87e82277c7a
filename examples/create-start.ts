// A container that one process creates and another starts, as the commands create and start of an OCI runtime have it.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { getSystemErrorName } from 'node:util';

import { clone, type CloneOptions, constants, Flags, perform, record } from 'nsclone';

const usage = `usage: create-start create FOLDER COMMAND [ARGUMENT…]   set one up, which waits; FOLDER is made, and has its pid
       create-start start FOLDER                        have the command executed, and say what fails of that
       create-start run COMMAND [ARGUMENT…]             both, in processes of their own; ends as the command does
`;

const { AT_FDCWD, O_NONBLOCK, O_RDONLY, O_WRONLY, PR_SET_CHILD_SUBREAPER, S_IFIFO } = constants;

const options: CloneOptions = {
  flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWIPC | Flags.NEWNET,
  uidMap: 'root',
  gidMap: 'root',
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
  init: true,
  // A pipe of ours would end with us.
  stdio: 'inherit',
};

/** Open for both, so that it always has a reader and a writer: nobody waits to open it, and no end of the other side is read. */
function makeFifo(path: string): number {
  perform(record((c) => void c.mknodat(AT_FDCWD, path, S_IFIFO | 0o600)));
  return openSync(path, 'r+');
}

async function create(folder: string, command: string, args: readonly string[]): Promise<void> {
  mkdirSync(folder, { mode: 0o700 });
  try {
    const hold = { fd: makeFifo(join(folder, 'start')), report: makeFifo(join(folder, 'report')) };
    const child = await clone(command, args, { ...options, hold });
    writeFileSync(join(folder, 'pid'), `${child.pid}\n`);
    // It is nobody's from here on, and we are done.
    child.unref();
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
}

interface Reported {
  readonly executing?: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly path?: string;
}

function failureIn(lines: readonly string[]): string | undefined {
  const last = JSON.parse(lines.at(-1) ?? '{}') as Reported;
  if (last.executing !== undefined) return undefined;
  if (last.errno === undefined) return 'it was killed before its command ran';
  return [getSystemErrorName(-last.errno), last.syscall, last.path].filter(Boolean).join(' ');
}

async function start(folder: string): Promise<void> {
  // Of two that start it one comes first, and the other finds nothing here.
  const fifo = join(folder, 'started');
  renameSync(join(folder, 'start'), fifo);
  // This one first: it is at its end when the child, which then has the other one too, has let go of it.
  const report = new Socket({ fd: openSync(join(folder, 'report'), O_RDONLY | O_NONBLOCK), writable: false });
  const lines = text(report);
  try {
    // ENXIO: nobody waits there any more.
    const starter = openSync(fifo, O_WRONLY | O_NONBLOCK);
    writeSync(starter, 'x');
    closeSync(starter);
  } catch (error) {
    report.destroy();
    await lines.catch(() => {});
    throw error;
  }
  const failure = failureIn((await lines).split('\n').filter(Boolean));
  if (failure !== undefined) throw new Error(failure);
}

/** The exit status of a child of this process, which no event loop knows. */
function waitFor(pid: number): number {
  const { status } = perform(
    record((c) => {
      const status = c.buffer(4);
      c.syscall('wait4', pid, status, 0, 0);
      return { status };
    }),
  );
  const [code, signal] = [status[1]!, status[0]! & 0x7f];
  return signal === 0 ? code : 128 + signal;
}

/** A supervisor, as containerd-shim or conmon are: whoever lost its parent below it becomes its child. */
function run(command: readonly string[]): number {
  perform(record((c) => void c.prctl(PR_SET_CHILD_SUBREAPER, 1)));
  const parent = mkdtempSync(join(tmpdir(), 'create-start-'));
  const folder = join(parent, 'box');
  const ourselves = (...args: readonly string[]): number =>
    spawnSync(process.execPath, [__filename, ...args], { stdio: 'inherit' }).status ?? 1;
  try {
    const created = ourselves('create', folder, ...command);
    if (created !== 0) return created;
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    const started = ourselves('start', folder);
    if (started !== 0) process.kill(pid, 'SIGKILL');
    const status = waitFor(pid);
    return started === 0 ? status : started;
  } finally {
    rmSync(parent, { recursive: true });
  }
}

async function main(): Promise<void> {
  const [what, ...args] = process.argv.slice(2);
  const [folder, command, ...rest] = args;
  try {
    if (what === 'create' && folder !== undefined && command !== undefined) await create(folder, command, rest);
    else if (what === 'start' && args.length === 1) await start(folder!);
    else if (what === 'run' && args.length > 0) process.exitCode = run(args);
    else {
      console.error(usage);
      process.exitCode = 2;
    }
  } catch (error) {
    console.error(`create-start: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

void main();
