// Functions that are done when they return.

/** What a synchronous function returns: anything but a promise, in whose place stands what the compiler then says. */
export type Synchronous<T> = T extends PromiseLike<unknown> ? 'a synchronous function returns no promise' : T;
