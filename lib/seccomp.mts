// The ESM façade of `nsclone/seccomp`.
export * from './seccomp.js';
