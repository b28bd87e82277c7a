// Modules of Node that are loaded when first needed: each costs an import of the package some milliseconds.
import type * as ChildProcess from 'node:child_process';
import type * as Net from 'node:net';
import type * as OS from 'node:os';
import type * as TTY from 'node:tty';

/* oxlint-disable typescript/no-require-imports -- an import would load them at once */

export function childProcess(): typeof ChildProcess {
  return require('node:child_process') as typeof ChildProcess;
}

export function net(): typeof Net {
  return require('node:net') as typeof Net;
}

export function os(): typeof OS {
  return require('node:os') as typeof OS;
}

export function tty(): typeof TTY {
  return require('node:tty') as typeof TTY;
}
