// The ESM façade of `nsclone/bwrap`.
export { bwrapExitCode, type BwrapCommand, fromBwrap } from './index.js';
