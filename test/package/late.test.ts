// The files of the package that are compiled when they are first needed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { rootOnly } from '../support/capability';
import { root } from '../support/own-process';
import { slow } from '../support/slow';

/** What another one could stand in the place of. */
const files = readdirSync(join(root, 'dist/lib')).filter((name) => name.endsWith('.js'));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-late-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function outputOf(script: string, env: NodeJS.ProcessEnv = {}): string {
  return outputOfNode(['-e', `(async () => { ${script} })()`], env);
}

function outputOfNode(args: readonly string[], env: NodeJS.ProcessEnv): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: slow(20_000),
    env: { ...process.env, ...env },
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.trimEnd();
}

/**
 * The names of the package's files that a process has come to run, by what V8 has written of it into a folder; and a module that it has
 * forked, of which none is wanted.
 */
function filesIn(home: string): string[] {
  const urls = readdirSync(home).flatMap((report) => {
    const { result } = JSON.parse(readFileSync(join(home, report), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url).filter((url) => url.includes('/dist/lib/'));
  });
  return urls.map((url) => basename(url)).sort();
}

/** Those that a script has come to run. */
function filesRunBy(script: string): string[] {
  const home = join(folder, 'coverage');
  outputOf(
    `const { clone, Flags, fork, Namespace, probe, record, run } = require(${JSON.stringify(root)}); ${script}`,
    {
      NODE_V8_COVERAGE: home,
    },
  );
  return filesIn(home);
}

test.each([
  ['an import', '', ['front.js', 'index.js']],
  [
    'the start of a command',
    `await (await clone('true')).exited;`,
    ['constants.js', 'core.js', 'front.js', 'index.js'],
  ],
  [
    'a command with options',
    `await (await clone('true', { flags: Flags.NEWUSER, uidMap: 'root' })).exited;`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'options.js'],
  ],
  [
    'a command with mounts',
    `const mounts = [{ type: 'tmpfs', target: '/tmp' }];
    await (await clone('true', { flags: Flags.NEWUSER | Flags.NEWNS, uidMap: 'root', mounts })).exited;`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'mounts.js', 'options.js'],
  ],
  [
    'what is told of a namespace',
    `using(Namespace.current('net')); function using(one) { one.owner().close(); one.close(); }`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'namespaces.js'],
  ],
  [
    'a compiled filter',
    `await (await clone('true', { seccomp: Buffer.from('060000000000ff7f', 'hex') })).exited;`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'limits.js', 'options.js'],
  ],
  [
    'a profile',
    `await (await clone('true', { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } })).exited;`,
    ['constants.js', 'core.js', 'filters.js', 'front.js', 'index.js', 'limits.js', 'options.js'],
  ],
  [
    'a filter by names',
    `require('nsclone/seccomp').compile({ defaultAction: 'SCMP_ACT_ALLOW' });`,
    ['constants.js', 'core.js', 'filters.js', 'front.js', 'index.js', 'seccomp.js'],
  ],
  [
    'a module',
    `const child = await fork('/dev/null', { execArgv: [] }); await child.exited; child.send('x', () => {});`,
    ['constants.js', 'core.js', 'fork.js', 'front.js', 'index.js'],
  ],
  [
    'what a host allows',
    `await require('nsclone').probe();`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'late.js', 'options.js', 'probe.js'],
  ],
  [
    'a plan that is printed',
    `String(require('nsclone').plan('true'));`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'late.js', 'options.js', 'recording.js'],
  ],
  [
    'a thread that is moved',
    `require('nsclone').unshareSync(Flags.FS);`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'namespaces.js'],
  ],
  [
    'a failure',
    `await clone('/no/such').catch(() => {});`,
    ['constants.js', 'core.js', 'front.js', 'index.js', 'late.js'],
  ],
])('%s needs no more than this', (_, script, files) => {
  expect(filesRunBy(script)).toEqual(files);
});

describe('what starts a command', () => {
  test('is there soon after the import, in a program that goes on', () => {
    const script = `
      const fs = require('node:fs');
      const files = () => fs.readdirSync('HOME');
      const { takeCoverage } = require('node:v8');
      for (let known = 0; known === 0; ) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        takeCoverage();
        known = files().filter((file) => fs.readFileSync(\`HOME/\${file}\`, 'utf8').includes('/dist/lib/core.js')).length;
      }`;
    const home = join(folder, 'coverage');
    // It ends when the file is there.
    outputOf(`require(${JSON.stringify(root)}); ${script.replaceAll('HOME', home)}`, { NODE_V8_COVERAGE: home });
  });

  test('is not compiled by an ES module that imports the package and is done', () => {
    const home = join(folder, 'coverage');
    const module = `import ${JSON.stringify(join(root, 'dist/lib/index.mjs'))};`;
    outputOfNode(['--input-type=module', '-e', module], { NODE_V8_COVERAGE: home });
    // The table is one of its names.
    expect(filesIn(home)).toEqual(['constants.js', 'front.js', 'index.js', 'index.mjs']);
  });

  test('is not waited for', () => {
    expect(outputOf(`require(${JSON.stringify(root)}); console.log(process.getActiveResourcesInfo().join());`)).toBe(
      '',
    );
  });

  test('is there with fake timers that are in their place before the import', () => {
    const output = outputOf(
      `require('node:test').mock.timers.enable();
      console.log(String(require(${JSON.stringify(root)}).plan('true')).includes('execve'));`,
      { NODE_NO_WARNINGS: '1' },
    );
    expect(output).toBe('true');
  });

  test('is there with fake timers that are put in their place after the import', () => {
    const output = outputOf(
      `const { run } = require(${JSON.stringify(root)});
      require('node:test').mock.timers.enable();
      console.log((await run('echo', ['ran'])).stdout.trim());`,
      { NODE_NO_WARNINGS: '1' },
    );
    expect(output).toBe('ran');
  });
});

test('errors are of the classes that a program in another realm has, such as this one that Jest runs', async () => {
  const built = require(root) as typeof import('../../lib');
  expect(() => built.plan('true', { hostname: 'box' })).toThrow(TypeError);
  const child = await built.clone('true', { stdio: 'ignore' });
  expect(Object.getPrototypeOf(await child.exited)).toBe(Object.prototype);
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

test('files are read at the import: a failure is told where the package is gone, or where no file can be opened', () => {
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

describe.each([
  ['in the turn of the import', ''],
  ['a little later', 'await new Promise((resolve) => setTimeout(resolve, 50));'],
])('where a thread has entered a container %s', (_, wait) => {
  rootOnly('nothing of the package is read from where another root has it', () => {
    const copy = copyOfPackage();
    const output = outputOf(`
      const { run, unshareSync, Flags } = require(${JSON.stringify(copy)});
      const fs = require('node:fs');
      unshareSync(Flags.NEWNS);
      const { execFileSync } = require('node:child_process');
      execFileSync('mount', ['--make-rprivate', '/']);
      execFileSync('mount', ['-t', 'tmpfs', 'stranger', ${JSON.stringify(copy)}]);
      fs.mkdirSync(${JSON.stringify(join(copy, 'dist/lib'))}, { recursive: true });
      for (const name of ${JSON.stringify(files)})
        fs.writeFileSync(${JSON.stringify(join(copy, 'dist/lib'))} + '/' + name, 'console.log("a stranger runs in Node");');
      ${wait}
      console.log(String((await run('echo', ['ours'])).stdout).trim());
      await run('/no/such').catch((error) => console.log(error.code));`);
    expect(output).toBe('ours\nENOENT');
  });

  rootOnly('its /proc is not asked: that of the import is ours', () => {
    const output = outputOf(`
      const { Namespace, unshareSync, Flags } = require(${JSON.stringify(root)});
      const { execFileSync } = require('node:child_process');
      unshareSync(Flags.NEWNS);
      execFileSync('mount', ['--make-rprivate', '/']);
      execFileSync('mount', ['-t', 'tmpfs', 'stranger', '/proc']);
      ${wait}
      console.log(Namespace.current('mnt').kind);`);
    expect(output).toBe('mnt');
  });
});
