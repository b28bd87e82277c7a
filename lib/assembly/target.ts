// The target of a mount, as text.

/** The names on the way to it. */
export function namesOf(target: string): string[] {
  return target.split('/').filter((name) => name !== '' && name !== '.');
}

/** Whether it is the root itself. */
export function isTop(target: string): boolean {
  return namesOf(target).length === 0;
}
