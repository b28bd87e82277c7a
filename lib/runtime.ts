// Which runtime this is, where that matters.

/** Bun and Deno have most of Node's modules, and another event loop below them. */
export const runtime = process.versions['bun'] ? 'Bun' : process.versions['deno'] ? 'Deno' : 'Node';

/** Whether the event loop is one of libuv's, which polls what it is given, and has all of its threads once the first is needed. */
export const hasLibuv = runtime === 'Node';
