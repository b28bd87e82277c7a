// The Nodes that the package is tried with, and how to get one: npm has them as packages, which need no script to install.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The oldest that package.json allows, and the last of each release line with long-term support or to have it. */
export const versions = ['20.17.0', '20.20.2', '22.23.3', '24.21.0', '26.10.0'];

/** The last that is meant by `22`, `22.23` or `22.23.3`. */
export function versionFor(wanted) {
  const found = versions.findLast((version) => `${version}.`.startsWith(`${wanted}.`));
  if (found === undefined)
    throw new Error(`there is no Node ${wanted} in scripts/node-versions.mjs, only ${versions.join(', ')}`);
  return found;
}

/** Puts that Node into a folder: `bin/node` there, and its headers. @returns the path of the program */
export function installNode(version, folder, arch = process.arch) {
  const name = `node-${process.platform}-${arch}@${version}`;
  const packed = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-node-')));
  try {
    const args = ['pack', name, '--json', `--pack-destination=${packed}`];
    const [{ filename }] = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }));
    mkdirSync(folder, { recursive: true });
    const options = ['--no-same-owner', '--strip-components=1', '-C', folder, 'package/bin', 'package/include'];
    execFileSync('tar', ['-xzf', join(packed, filename), ...options], { stdio: 'inherit' });
  } finally {
    rmSync(packed, { recursive: true });
  }
  return join(folder, 'bin/node');
}
