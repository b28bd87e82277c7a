// How the package says what keeps its addon from being loaded.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path, { dirname, join } from 'node:path';

import { buildSync } from 'esbuild';

import type * as Realm from '../../lib/realm';
import { root } from '../support/own-process';
import { slow } from '../support/slow';

/** What another one could stand in the place of. */
const files = readdirSync(join(root, 'dist/lib')).filter((name) => name.endsWith('.js'));

/** A program that uses what `file` exports, and tells how its first call ends: this field of the error. */
const program = (file: string, field = 'message'): string =>
  `import { clone } from ${JSON.stringify(file)};
  clone('true').then(() => console.log('started'), (error) => console.log(error.${field}));`;

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  env = {};
  folder = mkdtempSync(join(tmpdir(), 'nsclone-loading-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What a program of arguments of Node prints. */
function outputOf(...args: string[]): string {
  const options = { encoding: 'utf8', timeout: slow(20_000), env: { ...process.env, ...env } } as const;
  const { stdout, stderr, signal } = spawnSync(process.execPath, args, options);
  expect({ stderr, signal }).toEqual({ stderr: '', signal: null });
  return stdout.trimEnd();
}

/** How the first call of the package in a folder ends. */
function messageOf(home: string, ...flags: string[]): string {
  return outputOf(...flags, '--input-type=module', '-e', program(join(home, 'dist/lib/index.mjs')));
}

function codeOf(home: string, ...flags: string[]): string {
  return outputOf(...flags, '--input-type=module', '-e', program(join(home, 'dist/lib/index.mjs'), 'code'));
}

/** A copy of the package without an addon. */
function withoutAddon(): string {
  const copy = join(folder, 'a folder');
  mkdirSync(copy);
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Bundles a program with the package into a folder of its own, with the file of its addon beside it or not. */
function bundled(format: 'cjs' | 'esm', beside?: { readonly as: string; readonly content?: string }): string {
  const outfile = join(folder, 'app', format === 'cjs' ? 'bundle.js' : 'bundle.mjs');
  const contents = program(join(root, 'dist/lib/index.mjs'));
  buildSync({ stdin: { contents, resolveDir: folder }, bundle: true, platform: 'node', format, outfile });
  if (beside === undefined) return outfile;
  const addon = join(folder, 'app', beside.as);
  mkdirSync(dirname(addon), { recursive: true });
  if (beside.content === undefined) cpSync(join(root, 'build/Release/nsclone.node'), addon);
  else writeFileSync(addon, beside.content);
  return outfile;
}

const prebuilt = `prebuilds/linux-${process.arch}`;

describe.each(['cjs', 'esm'] as const)('a bundle of format %s', (format) => {
  test('works where the addon lies beside it', () => {
    expect(outputOf(bundled(format, { as: 'nsclone.node' }))).toBe('started');
  });

  test('works where the folder of the prebuilt addons lies beside it', () => {
    expect(outputOf(bundled(format, { as: `${prebuilt}/nsclone.glibc.node` }))).toBe('started');
  });

  test('works where NSCLONE_ADDON says', () => {
    env = { NSCLONE_ADDON: join(root, 'build/Release/nsclone.node') };
    expect(outputOf(bundled(format))).toBe('started');
  });

  test('says what to copy where, with no package above it', () => {
    expect(outputOf(bundled(format))).toBe(
      `nsclone has been bundled away from its package: copy its folder prebuilds to ${join(folder, 'app')}, or set NSCLONE_ADDON to the path of its addon`,
    );
  });

  test('is not taken for the program whose package it lies in', () => {
    writeFileSync(join(folder, 'package.json'), '{ "name": "app" }');
    expect(outputOf(bundled(format))).toMatch(/^nsclone has been bundled away from its package/);
  });

  test('says why the addon beside it does not load', () => {
    const message = outputOf(bundled(format, { as: `${prebuilt}/nsclone.glibc.node`, content: 'no ELF' }));
    expect(message).toMatch(/^the addon of nsclone does not load here \(.+\); nsclone has been bundled away .*: copy /);
  });
});

describe('a bundle below a folder that others may write to', () => {
  test('is not taken for the package where somebody says so there', () => {
    const file = bundled('cjs', { as: 'nsclone.node' });
    writeFileSync(join(folder, 'package.json'), '{ "name": "nsclone" }');
    mkdirSync(join(folder, 'dist/lib'), { recursive: true });
    for (const name of files) writeFileSync(join(folder, 'dist/lib', name), 'console.log("a stranger runs in Node");');
    mkdirSync(join(folder, 'build/Release'), { recursive: true });
    writeFileSync(join(folder, 'build/Release/nsclone.node'), 'a stranger is loaded');
    expect(outputOf(file)).toBe('started');
  });

  test('is imported where that cannot be read', () => {
    const file = bundled('cjs', { as: 'nsclone.node' });
    mkdirSync(join(folder, 'package.json'));
    expect(outputOf(file)).toBe('started');
  });
});

test('of two addons beside a bundle the one that loads is taken', () => {
  const bundle = bundled('cjs', { as: `${prebuilt}/nsclone.musl.node` });
  writeFileSync(join(folder, 'app', prebuilt, 'nsclone.glibc.node'), 'of another C library');
  expect(outputOf(bundle)).toBe('started');
});

test('code that is evaluated from text finds the addon beside the file that evaluates it', () => {
  const bundle = bundled('cjs', { as: 'nsclone.node' });
  const evaluating = join(folder, 'app', 'main.js');
  const text = JSON.stringify(readFileSync(bundle, 'utf8'));
  writeFileSync(evaluating, `eval(${text});`);
  rmSync(bundle);
  expect(outputOf(evaluating)).toBe('started');
});

test('an NSCLONE_ADDON that is no path is refused, and one that leads nowhere is named', () => {
  env = { NSCLONE_ADDON: 'nsclone.node' };
  expect(messageOf(root)).toBe(
    "NSCLONE_ADDON must be the absolute path of an nsclone.node that was built for this machine. It is 'nsclone.node'",
  );
  env = { NSCLONE_ADDON: '/nowhere/nsclone.node' };
  expect(messageOf(root)).toMatch(/; NSCLONE_ADDON must be the absolute path of an nsclone.node/);
});

test('a Node with frozen intrinsics finds the addon, in the package and beside a bundle', () => {
  const flags = ['--frozen-intrinsics', '--no-warnings'];
  expect(messageOf(root, ...flags)).toBe('started');
  expect(outputOf(...flags, bundled('cjs', { as: 'nsclone.node' }))).toBe('started');
});

test('a Node that loads no addons is named as the cause', () => {
  expect(messageOf(root, '--no-addons')).toMatch(/^nsclone is a native addon, and this Node loads none: .*--no-addons/);
});

test('a Node with permissions is named as the cause', () => {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const flags = [permission, '--no-warnings', '--allow-fs-read=*'];
  expect(messageOf(root, ...flags)).toMatch(/^nsclone is a native addon, .*--allow-addons beside --permission$/);
});

test('where there is no addon the error has the one command that builds it', () => {
  const copy = withoutAddon();
  const { name, scripts } = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8')) as {
    name: string;
    scripts: Record<string, string>;
  };
  expect(name).toBe('nsclone');
  expect(scripts).toHaveProperty('build:native');
  expect(messageOf(copy)).toBe(
    `nsclone has no prebuilt addon for linux ${process.arch} here; build it with: npm --prefix '${copy}' run build:native`,
  );
});

test('an addon that does not load here is told with the reason', () => {
  const copy = withoutAddon();
  mkdirSync(join(copy, 'build/Release'), { recursive: true });
  writeFileSync(join(copy, 'build/Release/nsclone.node'), 'no ELF');
  expect(messageOf(copy)).toMatch(/^the addon of nsclone does not load here \(.+\); build it with: npm --prefix /);
});

test('the error has the code of Node, and one for each reason of ours', () => {
  const copy = withoutAddon();
  expect(codeOf(copy)).toBe('MODULE_NOT_FOUND');
  expect(codeOf(root, '--no-addons')).toBe('ERR_DLOPEN_DISABLED');
  mkdirSync(join(copy, 'build/Release'), { recursive: true });
  writeFileSync(join(copy, 'build/Release/nsclone.node'), 'no ELF');
  expect(codeOf(copy)).toBe('ERR_DLOPEN_FAILED');
  env = { NSCLONE_ADDON: 'nsclone.node' };
  expect(codeOf(root)).toBe('ERR_INVALID_ARG_VALUE');
  env = { NSCLONE_ADDON: '/nowhere/nsclone.node' };
  expect(codeOf(root)).toBe('ERR_DLOPEN_FAILED');
});

test('an install runs nothing', () => {
  const { scripts, gypfile, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    gypfile?: boolean;
    files: string[];
  };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  expect(gypfile).toBe(false);
  // That is not carried into a lock file: with one, npm runs node-gyp for whatever has a binding.gyp.
  expect(files).not.toContain('binding.gyp');
});

test('our files are loaded anew with the addon that is there', () => {
  const script = `
    const { readdirSync } = require('node:fs');
    const load = async () => {
      for (const name of Object.keys(require.cache)) delete require.cache[name];
      await (await require(${JSON.stringify(root)}).clone('true', [], { stdio: 'ignore' })).exited;
      return readdirSync('/proc/self/fd').length;
    };
    load().then(async (first) => console.log((await load()) - first, (await load()) - first));`;
  expect(outputOf('-e', script)).toBe('0 0');
});

test('a realm of its own is known by a function that nobody mocks', () => {
  jest.isolateModules(() => {
    const spy = jest.spyOn(path, 'join');
    expect((require('../../lib/realm') as typeof Realm).isMainRealm).toBe(false);
    spy.mockRestore();
  });
});

test('public names are those of whoever has required them: stubbing one changes it for nobody else', () => {
  const script = `
    'use strict';
    const file = require.resolve(${JSON.stringify(root)});
    const names = require(file);
    names.clone = names.constants = undefined;
    delete require.cache[file];
    const others = require(file);
    console.log(names.clone, names.constants, typeof others.clone, typeof others.constants.O_PATH);`;
  expect(outputOf('-e', script)).toBe('undefined undefined function number');
});

test('classes and functions are called as they are exported', () => {
  const names: Record<string, unknown> = require(root);
  for (const [name, value] of Object.entries(names))
    if (typeof value === 'function') expect(value).toHaveProperty('name', name);
});

test('a process that somebody has frozen loads it all the same', () => {
  env = { NSCLONE_ADDON: join(root, 'build/Release/nsclone.node') };
  const script = `Object.freeze(process); require(${JSON.stringify(root)}).run('echo', ['x']).then(({ stdout }) => console.log(stdout));`;
  expect(outputOf('-e', script)).toBe('x');
});
