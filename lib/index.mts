// The ESM façade: the same names and the same classes as the CommonJS core.
export * from './index.js';
