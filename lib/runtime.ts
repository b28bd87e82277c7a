// What this runtime is made of, where that matters here.

/** Whether the event loop is libuv's own, as it is in Node: Bun and Deno have most of Node's modules, and another loop below. */
export const hasLibuv = process.versions['bun'] === undefined && process.versions['deno'] === undefined;
