// The files of the package that are compiled when they are first needed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { root } from '../support/own-process';
import { slow } from '../support/slow';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-late-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function outputOf(script: string, env: NodeJS.ProcessEnv = {}): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', `(async () => { ${script} })()`], {
    encoding: 'utf8',
    timeout: slow(20_000),
    env: { ...process.env, ...env },
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.trimEnd();
}

/** The names of the package's files that a script has come to run. */
function filesRunBy(script: string): string[] {
  const home = join(folder, 'coverage');
  outputOf(`const { clone, Flags, record, run } = require(${JSON.stringify(root)}); ${script}`, {
    NODE_V8_COVERAGE: home,
  });
  const [report] = readdirSync(home);
  const { result } = JSON.parse(readFileSync(join(home, report!), 'utf8')) as { result: { url: string }[] };
  const files = result.filter(({ url }) => url.includes('/dist/lib/'));
  return files.map(({ url }) => basename(url)).sort();
}

test.each([
  ['an import', '', ['core.js', 'index.js']],
  ['the start of a command', `await (await clone('true')).exited;`, ['core.js', 'index.js']],
  [
    'a command with options',
    `await (await clone('true', { flags: Flags.NEWUSER, uidMap: 'root' })).exited;`,
    ['core.js', 'index.js', 'options.js'],
  ],
  ['a failure', `await clone('/no/such').catch(() => {});`, ['core.js', 'index.js', 'late.js']],
])('%s needs no more than this', (_, script, files) => {
  expect(filesRunBy(script)).toEqual(files);
});

test('are read right after the import: a failure is told where the package is gone, or where no file can be opened', () => {
  const copy = join(folder, 'nsclone');
  mkdirSync(join(copy, 'build/Release'), { recursive: true });
  for (const file of ['dist', 'package.json', 'build/Release/nsclone.node'])
    cpSync(join(root, file), join(copy, file), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const output = outputOf(`
    const { clone, record, Flags } = require(${JSON.stringify(copy)});
    const fs = require('node:fs');
    await new Promise((resolve) => void setImmediate(resolve));
    fs.rmSync(${JSON.stringify(copy)}, { recursive: true });
    try { for (;;) fs.openSync('/dev/null'); } catch {}
    const tell = (error) => console.log(error.name, error.code);
    await clone('/bin/true', [], { stdio: 'pipe', uidMap: 'root', flags: Flags.NEWUSER }).catch(tell);
    await clone(42).catch(tell);
    console.log(String(record((c) => c.getpid())));`);
  expect(output).toBe('SyscallError EMFILE\nTypeError ERR_INVALID_ARG_TYPE\n0  program  program[0]  getpid() = r0');
});
