// Classes of ours whose objects a function makes: `new` is not for callers.

/** What the constructor of such a class is given first; only we have it. */
export const ours: unique symbol = Symbol('ours');

/**
 * Refuses `new` of whoever is not us, in Node's words.
 * @param made what it makes, and how that comes about: 'a Plan is made by plan()'
 * @throws TypeError ERR_ILLEGAL_CONSTRUCTOR
 */
export function checkOurs(given: unknown, made: string): void {
  if (given === ours) return;
  const error = Object.assign(new TypeError(`Illegal constructor: ${made}`), { code: 'ERR_ILLEGAL_CONSTRUCTOR' });
  Error.captureStackTrace(error, checkOurs);
  throw error;
}
