// Why this host forbids user namespaces: which of its switches is off, and what to do.
import { readFileSync } from 'node:fs';

/** Where to look; a test looks elsewhere. */
export type Read = (path: string) => string | undefined;

function readHost(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function isOn(read: Read, name: string): boolean | undefined {
  const value = read(`/proc/sys/${name.replaceAll('.', '/')}`);
  return value === undefined ? undefined : value !== '0';
}

/** Whether a seccomp filter is on us, as every container has one. */
function isFiltered(read: Read): boolean {
  return /^Seccomp:\s*2$/m.test(read('/proc/self/status') ?? '');
}

/** The reason for an error of unshare(CLONE_NEWUSER), or of a step right after it. */
export function whyForbidden(code: string, read: Read = readHost): string | undefined {
  if (code === 'ENOSPC') {
    return isOn(read, 'user.max_user_namespaces') === false
      ? 'user namespaces are switched off here: sysctl user.max_user_namespaces is 0; set it to 10000, for one'
      : 'the limit of user namespaces is reached: sysctl user.max_user_namespaces, or a nesting of 32';
  }
  if (code === 'EUSERS') return 'user namespaces are nested 32 deep here, and no deeper';
  if (code !== 'EPERM' && code !== 'EACCES') return undefined;
  if (isOn(read, 'kernel.unprivileged_userns_clone') === false) {
    return 'user namespaces are switched off for ordinary users: set sysctl kernel.unprivileged_userns_clone to 1';
  }
  if (isOn(read, 'kernel.apparmor_restrict_unprivileged_userns') === true) {
    return (
      'AppArmor takes the capabilities of new user namespaces away: give Node a profile with "userns,", ' +
      'or set sysctl kernel.apparmor_restrict_unprivileged_userns to 0'
    );
  }
  if (isFiltered(read)) {
    return 'a seccomp filter is on us, as in a container: its profile must allow unshare, clone and mount';
  }
  return 'inside chroot(2), and for ids that have no place in our own user namespace, the kernel allows none';
}
