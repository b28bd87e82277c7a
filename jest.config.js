// The tests: TypeScript sources through swc, with the test build of the addon (fault hooks) in place of the real one.
const { availableParallelism } = require('node:os');

const { slow } = require('./test/support/slow.js');

const swc = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022', keepClassNames: true },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/lib', '<rootDir>/types', '<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  moduleFileExtensions: ['ts', 'js', 'json', 'node'],
  transform: { '\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: { '^\\.{1,2}(/.*)?/addon$': '<rootDir>/test/support/addon.ts' },
  testTimeout: slow(30_000),
  // Tests clone whole processes: more workers than this wait for the kernel and for each other.
  maxWorkers: Math.min(4, availableParallelism()),
};
