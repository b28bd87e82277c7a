// Checks that a .node file runs with the oldest C and C++ libraries that Node itself runs with.
//
//   node scripts/check-glibc.mjs [file.node …]      all of prebuilds/ without files
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const prebuilds = join(dirname(fileURLToPath(import.meta.url)), '../prebuilds');
const newest = { GLIBC: '2.28', GLIBCXX: '3.4.22', CXXABI: '1.3.10' };

function newer(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  const at = left.findIndex((part, index) => part !== (right[index] ?? 0));
  return at >= 0 && left[at] > (right[at] ?? 0);
}

/** Undefined symbols with the version that they are wanted in. */
function wantedBy(file) {
  const symbols = execFileSync('readelf', ['--dyn-syms', '-W', file], { encoding: 'utf8' });
  return [...symbols.matchAll(/\sUND (\S+?)@+([A-Z]+)_(\d[\d.]*)/g)].map(([, name, library, version]) => ({
    name,
    library,
    version,
  }));
}

function check(file) {
  const wanted = wantedBy(file).filter(({ library }) => library in newest);
  const tooNew = wanted.filter(({ library, version }) => newer(version, newest[library]));
  const highest = Object.keys(newest).map((library) => {
    const versions = wanted.filter((symbol) => symbol.library === library).map((symbol) => symbol.version);
    return `${library} ${versions.reduce((high, version) => (newer(version, high) ? version : high), '0')}`;
  });
  console.log(`${file}: ${highest.join(', ')}`);
  for (const { name, library, version } of tooNew) {
    console.error(`${file}: ${name} needs ${library}_${version}, newer than ${newest[library]}`);
  }
  return tooNew.length === 0;
}

function allPrebuilds() {
  if (!existsSync(prebuilds)) return [];
  const names = readdirSync(prebuilds, { recursive: true }).filter((name) => name.endsWith('.node'));
  return names.map((name) => join('prebuilds', name));
}

const files = process.argv.length > 2 ? process.argv.slice(2) : allPrebuilds();
if (files.length === 0) {
  console.error('nothing to check: run npm run prebuilds first, or name a .node file');
  process.exit(1);
}
if (!files.map(check).every(Boolean)) process.exit(1);
