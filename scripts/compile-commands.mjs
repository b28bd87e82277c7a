// Writes build/compile_commands.json for clang-tidy and editors, from binding.gyp by gyp's own generator.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { withNodeHeaders } from './node-headers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');

/** gyp's database of all targets. It runs in a folder of its own, since a configure makes the real build start again. */
function generate() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-compile-commands-')));
  try {
    for (const name of ['binding.gyp', 'package.json', 'src-native', 'test', 'node_modules']) {
      if (existsSync(join(root, name))) symlinkSync(join(root, name), join(folder, name));
    }
    const generator = ['--', '-f', 'compile_commands_json'];
    execFileSync(process.execPath, [nodeGyp, 'configure', ...generator], {
      cwd: folder,
      env: withNodeHeaders(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const text = readFileSync(join(folder, 'build/Release/compile_commands.json'), 'utf8');
    return JSON.parse(text.replaceAll(folder, root));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// Flags of gcc that clang does not know, or does not need to check the code.
const foreign = /^(-fno-tree-loop-distribute-patterns|-Werror|-m64)$/;

// The database leaves out the folder of generated headers; those of others are none of our business.
function forClang({ command, file }) {
  const kept = command.split(' ').filter((flag) => !foreign.test(flag));
  const flags = kept.map((flag) => flag.replace(/^-I(?=.*\/(node_modules|include)\/)/, '-isystem'));
  const generated = join(root, 'build/Release/obj/gen/nsclone_stub');
  return { command: [...flags, `-isystem${generated}`].join(' '), directory: root, file };
}

/** Each file once; in a checkout as the test build compiles it, which has the fault hook too. */
function once(entries) {
  const byFile = new Map();
  for (const entry of entries) {
    if (!byFile.has(entry.file) || entry.command.includes('NSCLONE_FAULTS')) byFile.set(entry.file, entry);
  }
  return [...byFile.values()];
}

const entries = once(generate()).map(forClang);
mkdirSync(join(root, 'build'), { recursive: true });
writeFileSync(join(root, 'build/compile_commands.json'), `${JSON.stringify(entries, null, 2)}\n`);
