// What a recording is made of, and what comes back from the child that ran it.
import type { BufferHandle, Bytes, Calls, Int, Result, Value } from './calls';
import type { Signal } from './signals';

/** What the callback of `record()` may return: handles, alone or in objects and arrays; or nothing. */
export type Returned = Value | BufferHandle | readonly Returned[] | { readonly [name: string]: Returned };

/**
 * What comes back: a number for the result of a call, a `Buffer` for a `c.buffer()`, in objects and arrays of the shape
 * that the callback returned; `undefined` where it returned nothing.
 */
export type Results<T> = T extends Value
  ? number
  : T extends BufferHandle
    ? Buffer
    : T extends readonly unknown[] | { readonly [name: string]: unknown }
      ? { -readonly [K in keyof T]: Results<T[K]> }
      : undefined;

/** What the callback of `record()` gets: each of its methods records one call. */
export interface Recorder extends Calls {
  /**
   * Memory for a call to write to, zeroed, which comes back as a `Buffer` of this size where the callback returns it.
   * @param size in bytes, 1 to 16 MiB
   */
  buffer(size: number): BufferHandle;
  /**
   * Memory with something in it: a struct, its fields one behind the other, each at a multiple of its width as C has it. It is an
   * argument where bytes are, and comes back as a `Buffer` where the callback returns it.
   * @example
   *   const name = c.memory([{ bytes: 'eth0', size: 16 }, { u32: 0 }]);
   *   const vector = c.memory([{ pointer: name }, { u64: name.size }]); // struct iovec
   */
  memory(fields: readonly MemoryField[]): BufferHandle;
  /**
   * Records any system call by its name, see syscalls(2). **As unsafe as in C**: nothing is known of its arguments, and
   * the kernel may write to whatever they point to. Strings (NUL-terminated) and bytes are copied now and handed over
   * as addresses.
   * @throws ArgumentError for a name that this architecture does not have, and for calls that would leave the recorded
   *   line
   */
  syscall(name: string, ...args: readonly RawArgument[]): Result;
  /**
   * The end of the line, with an exit code (0 to 255), see _exit(2). Nothing can be recorded after it; without it the
   * line ends with code 0.
   */
  exit(code: number): void;
}

/**
 * A field of `c.memory()`: an unsigned or signed integer of so many bits, or what an earlier call will return (32 and 64 bits only);
 * bytes, with NUL bytes up to `size`; an address of 64 bits, of what is copied now or of other memory of the recording, or NULL.
 */
export type MemoryField =
  | { readonly u8: number }
  | { readonly u16: number }
  | { readonly u32: Int }
  | { readonly u64: Int | bigint }
  | { readonly bytes: string | Uint8Array; readonly size?: number | undefined }
  | { readonly pointer: Bytes | null };

/**
 * An argument of `c.syscall()`: a 64-bit integer, or a string, bytes or memory, of which the address is handed over.
 */
export type RawArgument = number | bigint | string | Uint8Array | Value | BufferHandle | { readonly fd: number } | null;

/** Options of `clone(program, options)`. Each may be left out; `undefined` counts as left out. */
export interface RecordedOptions {
  /**
   * What the child shares with Node and what it has of its own: exactly the flags of clone(2), none added. Default 0, a
   * child with a copy of Node's memory, which takes milliseconds for every 100 MB to make; `Flags.VM` shares it
   * instead.
   *
   * `VFORK` **stops the event loop** until the child is done. With `THREAD` the child is a thread of Node, which no
   * signal reaches alone. With `PARENT` Node is not the parent, so `code` and `signal` may stay unknown (null). `PIDFD`
   * and the flags of the thread id words are refused as nsclone always uses them itself, `SETTLS` and `DETACHED` as
   * they mean nothing here.
   */
  flags?: number | undefined;
  /**
   * The signal that Node gets when the child ends, see clone(2): a name, a number, or 0 for none. Default 'SIGCHLD'.
   * Node acts on it as on any other: 'SIGTERM' ends it. Must not be given with `THREAD` or `PARENT`, where the kernel
   * does not take one.
   */
  exitSignal?: Signal | undefined;
  /** Kills the child when aborted. Refused with `THREAD`, which cannot be killed alone, and `VFORK`, which lets nothing run. */
  signal?: AbortSignal | undefined;
  /** Kills the child after so many milliseconds. Refused with `THREAD` and `VFORK`. */
  timeout?: number | undefined;
}
