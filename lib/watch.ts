// The children of this environment: who hears what of which child.
import { addon } from './addon';
import { SyscallError } from './errors/syscall-error';
import { errnoName } from './kernel/errno-texts';
import { syscallName } from './kernel/syscalls';
import { type Addon, descriptorReady, Mail, type News } from './native-interface';
import { hasLibuv } from './runtime';
import { whyNotLaunched } from './host/launching';
import { stubHint } from './stub-hint';

/** Who hears of a child. */
export interface Listener {
  /** Called in no async context: that of the child is for the child to enter. */
  hear(news: News): void;
}

/** Who hears that a descriptor can be read or written. */
export interface Reader {
  /** Called in no async context, once for each {@link awaitDescriptor}. */
  hearReady(): void;
}

/** What a reader waits for; with neither it hears nothing. */
export interface Awaited {
  readonly reads: boolean;
  readonly writes: boolean;
  /** Whether the event loop is kept alive for it. */
  readonly ref: boolean;
}

/**
 * Kept by the addon: modules may be loaded anew in one thread (by jest, by hot reloading), the addon is not, and it numbers the children
 * of all of them.
 */
export interface Watch {
  readonly mailbox: Float64Array;
  readonly listeners: Map<number, Listener>;
  readonly readers: Map<number, Reader>;
}

let watch: Watch = { mailbox: new Float64Array(Mail.Size), listeners: new Map(), readers: new Map() };
let opened = false;

/** What the last call or news had to say beside its number, see {@link Mail}. */
export let { mailbox } = watch;

/** Whether there has been a child, or could have been one. */
export function isWatching(): boolean {
  return opened;
}

/** Opens the watch, and the stub, before the first child. */
export function openWatch(): void {
  if (opened) return;
  const native = addon();
  // An empty path stands for the stub that the addon carries.
  const path = process.env['NSCLONE_STUB'] ?? '';
  const prepared = native.prepare(path, mailbox);
  if (prepared < 0) {
    throw new SyscallError({
      errno: -prepared,
      step: 'stub',
      syscall: syscallName(mailbox[Mail.Call]!),
      path: path === '' ? undefined : path,
      hint: stubHint(path, errnoName(-prepared), syscallName(mailbox[Mail.Call]!)),
    });
  }
  if (native.watch === undefined) open(native);
  else ({ mailbox } = watch = native.watch);
  opened = true;
}

function open(native: Addon): void {
  const result = native.open(tell, mailbox, !hasLibuv);
  if (result < 0) {
    const syscall = syscallName(mailbox[Mail.Call]!) ?? 'uv_poll_init';
    throw new SyscallError({
      errno: -result,
      step: 'watch',
      syscall,
      hint: whyNotLaunched(errnoName(-result), syscall),
    });
  }
  native.watch = watch;
}

function tell(id: number, news: News | typeof descriptorReady): void {
  if (news === descriptorReady) watch.readers.get(id)?.hearReady();
  else watch.listeners.get(id)?.hear(news);
}

/** From now on `listener` hears of child `id`. */
export function listen(id: number, listener: Listener): void {
  watch.listeners.set(id, listener);
}

export function forget(id: number): void {
  watch.listeners.delete(id);
}

/** From now on `reader` hears of a descriptor, which has to be forgotten before it is closed. @returns 0, or -errno */
export function awaitDescriptor(descriptor: number, reader: Reader, { reads, writes, ref }: Awaited): number {
  watch.readers.set(descriptor, reader);
  return addon().await(descriptor, reads, writes, ref);
}

export function forgetDescriptor(descriptor: number): void {
  if (watch.readers.delete(descriptor)) addon().await(descriptor, false, false, false);
}
