// Modules of Node that are loaded when first needed: each costs an import of the package some milliseconds.
import type * as ChildProcess from 'node:child_process';
import type Module from 'node:module';
import type * as Net from 'node:net';
import type * as OS from 'node:os';
import type Stream from 'node:stream';
import type * as TTY from 'node:tty';
import type * as WorkerThreads from 'node:worker_threads';
import type * as V8 from 'node:v8';
import type * as VM from 'node:vm';

export function childProcess(): typeof ChildProcess {
  return process.getBuiltinModule('node:child_process');
}

export function module(): typeof Module {
  return process.getBuiltinModule('node:module');
}

export function net(): typeof Net {
  return process.getBuiltinModule('node:net');
}

export function os(): typeof OS {
  return process.getBuiltinModule('node:os');
}

export function streams(): typeof Stream {
  return process.getBuiltinModule('node:stream');
}

export function tty(): typeof TTY {
  return process.getBuiltinModule('node:tty');
}

export function workerThreads(): typeof WorkerThreads {
  return process.getBuiltinModule('node:worker_threads');
}

export function v8(): typeof V8 {
  return process.getBuiltinModule('node:v8');
}

export function vm(): typeof VM {
  return process.getBuiltinModule('node:vm');
}
