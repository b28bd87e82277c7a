// What builds the addon for an architecture: this machine's compiler, or GNU's for another one.
import { withNodeHeaders } from './node-headers.mjs';

export const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** The environment of node-gyp for `arch`, where what is named already goes before, and the strip program. */
export function toolsFor(arch) {
  const across = arch === process.arch ? '' : `${triplets[arch]}-`;
  const compilers = across ? { CC: `${across}gcc`, CXX: `${across}g++`, LINK: `${across}g++`, AR: `${across}ar` } : {};
  return { environment: { ...compilers, ...withNodeHeaders() }, strip: `${across}strip` };
}
