// node:net, loaded when first needed: it costs 2 ms, and many children have no pipes.
import type * as Net from 'node:net';

/** The module. */
export function net(): typeof Net {
  // oxlint-disable-next-line typescript/no-require-imports -- an import would load it at once
  return require('node:net') as typeof Net;
}
