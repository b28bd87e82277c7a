// The error of a system call that the kernel refused.
import type { SyscallErrorFields } from '../../types/errors';
import { errnoNumber } from '../kernel/errno';
import { errnoMessage, errnoName } from '../kernel/errno-texts';
import { isOurs } from './caller';
import { type Hint, noteRefusal, wordsOf } from './hint';
import { printable } from './printable';

/** What a {@link SyscallError} is made from: its fields, one of `errno` and `code` being enough. */
export type SyscallErrorInit = {
  readonly [Name in Exclude<keyof SyscallErrorFields, 'hint'>]?: SyscallErrorFields[Name] | undefined;
} & {
  hint?: Hint | undefined;
  /** Said in the message in the system call's place: 'mount' for a `move_mount`. */
  verb?: string | undefined;
  /** Said in the message in the place of the error's own words. */
  reason?: string | undefined;
  /** What the kernel said beside the errno: the end of the message. */
  explanation?: string | undefined;
  cause?: unknown;
};

/** A system call that the kernel refused, in the parent or in the child before its command ran, see errno(3). */
export class SyscallError extends Error implements SyscallErrorFields {
  /** The error's name: 'EPERM'. */
  declare readonly code: string;
  /** The error's number, negative as in Node: -1. */
  declare readonly errno: number;
  /** The system call: 'move_mount'. */
  declare readonly syscall?: string;
  /** The step of the set-up that the call belongs to: 'mounts'. */
  declare readonly step?: string;
  /** The option that asked for it: 'mounts[0]'. */
  declare readonly option?: string;
  /** The path that the call was about, or its source. */
  declare readonly path?: string;
  /** Its second path. */
  declare readonly dest?: string;
  /** What can be done about it. */
  declare readonly hint?: string;
  /** The signal that killed the child before its command ran (with `code` 'ECHILD'). */
  declare readonly signal?: string;

  static {
    Object.defineProperty(this.prototype, 'name', { value: 'SyscallError', writable: true, configurable: true });
  }

  constructor(init: SyscallErrorInit) {
    const number = Math.abs(init.errno ?? errnoNumber(init.code ?? '') ?? 0);
    const code = init.code ?? errnoName(number);
    const hint = wordsOf(init.hint);
    super(message(init, code, number, hint), init.cause === undefined ? undefined : { cause: init.cause });
    const { syscall, step, option, path, dest, signal } = init;
    const fields = { errno: -number, code, syscall, step, option, path, dest, hint, signal };
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) Object.assign(this, { [name]: value });
    }
    noteRefusal(this, init.hint);
    isOurs(this);
  }
}

/** `CODE: message, syscall path -> dest (option): hint; the kernel says: explanation` on one line, what is absent left out. */
function message(init: SyscallErrorInit, code: string, errno: number, hint: string | undefined): string {
  const { path, dest, option, signal, explanation } = init;
  const killed = signal === undefined ? undefined : `the child was killed by ${signal} before its command ran`;
  const call = [
    init.verb ?? init.syscall,
    path,
    dest === undefined || dest === path ? undefined : `-> ${dest}`,
    option === undefined ? undefined : `(${option})`,
  ].filter((part) => part !== undefined);
  const parts = [`${code}: ${init.reason ?? killed ?? errnoMessage(errno)}`];
  if (call.length > 0) parts.push(call.length === 1 && call[0]?.startsWith('(') ? ' ' : ', ', call.join(' '));
  if (hint !== undefined) parts.push(`: ${hint}`);
  if (explanation !== undefined) parts.push(hint === undefined ? ': ' : '; ', `the kernel says: ${explanation}`);
  return printable(parts.join(''));
}
