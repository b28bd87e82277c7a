// What slow.js exports.

/** So many milliseconds of a fast machine, on this one: for what is waited for in the worst case only. */
export function slow(milliseconds: number): number;

/** Looks again and again until there is something, and returns it. @throws where it does not come in so long a time */
export function until<T>(look: () => T | Promise<T>, milliseconds?: number): Promise<NonNullable<T>>;

/**
 * For limits, in milliseconds, that are to pass at a certain stage of a child: what `start` gives with one that came late
 * enough, not in set-up, and such that `far` says of the result that the child had come so far. Where it came too early, the
 * same again with twice the time.
 */
export function inTime<T>(start: (limit: number) => Promise<T>, far?: (result: T) => boolean): Promise<T>;
