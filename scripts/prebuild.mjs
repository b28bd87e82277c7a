// Builds the addon that is published, from nothing but the files that are published, into prebuilds/.
//
//   node scripts/prebuild.mjs [x64|arm64]      for this machine's architecture, or across with a GNU cross compiler
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { toolsFor, triplets } from './cross-tools.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js');
const arch = process.argv[2] ?? process.arch;

function prebuild(folder) {
  // Without the tests binding.gyp builds no test addon; build/ of the checkout stays as it is.
  for (const name of ['binding.gyp', 'package.json', 'src-native'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { environment, strip } = toolsFor(arch);
  const options = [
    '--napi',
    '--tag-libc',
    '--strip',
    `--strip-bin=${strip}`,
    `--arch=${arch}`,
    `-t=${process.versions.node}`,
  ];
  execFileSync(process.execPath, [prebuildify, ...options], {
    cwd: folder,
    env: { ...environment, NSCLONE_WHOLE: '1' },
    stdio: 'inherit',
  });
  const built = join('prebuilds', `linux-${arch}`);
  rmSync(join(root, built), { recursive: true, force: true });
  cpSync(join(folder, built), join(root, built), { recursive: true });
  // The addon carries it; the file is for hosts that let nobody execute memory (NSCLONE_STUB).
  const stub = join(root, built, 'nsclone_stub');
  cpSync(join(folder, 'build/Release/nsclone_stub'), stub);
  execFileSync(strip, [stub]);
}

if (!(arch in triplets)) {
  console.error(`nsclone is built for ${Object.keys(triplets).join(' and ')}, not for ${arch}`);
  process.exit(1);
}
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-prebuild-')));
try {
  prebuild(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
