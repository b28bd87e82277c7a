// The target of a mount, as text.

/** The names on the way to it. */
export function namesOf(target: string): string[] {
  return target.split('/').filter((name) => name !== '' && name !== '.');
}

/** Whether it is the root itself. */
export function isTop(target: string): boolean {
  return namesOf(target).length === 0;
}

/** Why a mount does not get its place there. */
export function whyNotPlaced(code: string, syscall: string | undefined): string | undefined {
  return code === 'EINVAL' && syscall === 'move_mount'
    ? 'a directory is mounted on a directory only, and a file on a file'
    : undefined;
}
