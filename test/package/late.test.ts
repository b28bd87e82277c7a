// The files of the package that are compiled when they are first needed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { rootOnly } from '../support/capability';
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
  outputOf(`const { clone, Flags, fork, record, run } = require(${JSON.stringify(root)}); ${script}`, {
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
  [
    'a module',
    `const child = await fork('/dev/null', { execArgv: [] }); await child.exited; child.send('x', () => {});`,
    ['core.js', 'fork.js', 'index.js'],
  ],
  ['a failure', `await clone('/no/such').catch(() => {});`, ['core.js', 'index.js', 'late.js']],
])('%s needs no more than this', (_, script, files) => {
  expect(filesRunBy(script)).toEqual(files);
});

/** A copy of the package, with its addon. */
function copyOfPackage(): string {
  const copy = join(folder, 'nsclone');
  mkdirSync(join(copy, 'build/Release'), { recursive: true });
  for (const file of ['dist', 'package.json', 'build/Release/nsclone.node'])
    cpSync(join(root, file), join(copy, file), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

test('are read at the import: a failure is told where the package is gone, or where no file can be opened', () => {
  const copy = copyOfPackage();
  const output = outputOf(`
    const { clone, record, Flags } = require(${JSON.stringify(copy)});
    const fs = require('node:fs');
    fs.rmSync(${JSON.stringify(copy)}, { recursive: true });
    try { for (;;) fs.openSync('/dev/null'); } catch {}
    const tell = (error) => console.log(error.name, error.code);
    await clone('/bin/true', [], { stdio: 'pipe', uidMap: 'root', flags: Flags.NEWUSER }).catch(tell);
    await clone(42).catch(tell);
    console.log(String(record((c) => c.getpid())));`);
  expect(output).toBe('SyscallError EMFILE\nTypeError ERR_INVALID_ARG_TYPE\n0  program  program[0]  getpid() = r0');
});

rootOnly(
  'are not read from where another root has them: in the turn of the import a thread may have entered a container',
  () => {
    const copy = copyOfPackage();
    const output = outputOf(`
    const { run, unshareSync, Flags } = require(${JSON.stringify(copy)});
    const fs = require('node:fs');
    unshareSync(Flags.NEWNS);
    const { execFileSync } = require('node:child_process');
    execFileSync('mount', ['--make-rprivate', '/']);
    execFileSync('mount', ['-t', 'tmpfs', 'stranger', ${JSON.stringify(join(copy, 'dist/lib'))}]);
    for (const name of ['fork', 'late', 'options', 'output'])
      fs.writeFileSync(${JSON.stringify(join(copy, 'dist/lib'))} + '/' + name + '.js', 'console.log("a stranger runs in Node");');
    console.log(String((await run('echo', ['ours'])).stdout).trim());
    await run('/no/such').catch((error) => console.log(error.code));`);
    expect(output).toBe('ours\nENOENT');
  },
);
