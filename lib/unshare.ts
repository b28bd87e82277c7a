// unshare(): new namespaces for the calling thread.
import { ofCall } from './errors/caller';
import { leaveNamespaces } from './threads/leave';

/**
 * Moves the calling thread into new namespaces, see unshare(2): this JavaScript thread only. The thread pool (`fs.promises`,
 * `dns.lookup`) and other Workers stay where they are; children and Workers started from here are born into the new ones.
 *
 * After `NEWPID` this thread can start no thread any more (no Worker), and when the first child has ended no child either:
 * the kernel's rule for a pid namespace whose pid 1 is gone. So keep the first one, and start it before `probe()` and
 * `createNamespaces()`, whose children end. `setnsSync()` into the own pid namespace leads back. What `NEWTIME`
 * does cannot be undone. After `NEWNS` or `FS`, `process.chdir()` moves this thread alone.
 * @param flags a `|` of `Flags.NEWNS`, `NEWUTS`, `NEWIPC`, `NEWNET`, `NEWCGROUP`, `NEWPID`, `NEWTIME`, `FS` and `SYSVSEM`
 * @throws ArgumentError for flags that can only hurt; SyscallError EPERM without CAP_SYS_ADMIN, ENOSPC at a limit. The thread is then
 * where it was
 */
export function unshareSync(flags: number): void {
  try {
    leaveNamespaces(flags);
  } catch (error) {
    throw ofCall(error, unshareSync);
  }
}

/**
 * Moves the calling thread into new namespaces, see unshare(2): this JavaScript thread only, not the thread pool nor other Workers. It
 * is done when the function returns, which never throws; {@link unshareSync} is the same without a Promise, and tells more.
 * @param flags a `|` of `Flags.NEWNS`, `NEWUTS`, `NEWIPC`, `NEWNET`, `NEWCGROUP`, `NEWPID`, `NEWTIME`, `FS` and `SYSVSEM`
 * @throws ArgumentError, SyscallError, as what the Promise rejects with
 */
export async function unshare(flags: number): Promise<void> {
  try {
    leaveNamespaces(flags);
  } catch (error) {
    throw ofCall(error, unshare);
  }
}
