// Builds the addon with node-gyp: what is out of date in a checkout, all of it where nothing was built yet.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { withNodeHeaders } from './node-headers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

/** The pinned node-gyp of a checkout, else the one that npm brings. */
function nodeGyp() {
  try {
    return [process.execPath, require.resolve('node-gyp/bin/node-gyp.js')];
  } catch {
    const bundled = process.env.npm_config_node_gyp;
    return bundled ? [process.execPath, bundled] : ['node-gyp'];
  }
}

function run(...steps) {
  const [command, ...first] = nodeGyp();
  const options = { cwd: root, stdio: 'inherit', env: withNodeHeaders() };
  const { status, error } = spawnSync(command, [...first, ...steps, '--loglevel=warn', '--jobs=max'], options);
  if (error) console.error(`nsclone: cannot run node-gyp: ${error.message}`);
  return status === 0;
}

/** The package has none, or every client would build it: it is there while we do. */
function withBindings(build) {
  const file = join(root, 'binding.gyp');
  if (existsSync(file)) return build();
  writeFileSync(file, "{ 'includes': ['src-native/nsclone.gypi'] }\n");
  try {
    return build();
  } finally {
    rmSync(file);
  }
}

function build() {
  // make compares times: a build that stands is brought up to date in a second.
  if (existsSync(join(root, 'build/Makefile')) && run('build')) return true;
  return run('rebuild');
}

process.exit(withBindings(build) ? 0 : 1);
