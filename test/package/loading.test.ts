// How the package says what keeps its addon from being loaded.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildSync } from 'esbuild';

import { root } from '../support/own-process';
import { slow } from '../support/slow';

/** A file's module, and how its first call fails. */
const program = (file: string): string =>
  `require(${JSON.stringify(file)}).clone('true').then(() => console.log('started'), (error) => console.log(error.message));`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-loading-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function messageOf(file: string, ...flags: string[]): string {
  const options = { encoding: 'utf8', timeout: slow(20_000) } as const;
  const { stdout, stderr, signal } = spawnSync(process.execPath, [...flags, '-e', program(file)], options);
  expect({ stderr, signal }).toEqual({ stderr: '', signal: null });
  return stdout.trimEnd();
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

test('a bundle with no package above it ends, and says that it has left its addon', () => {
  const outfile = join(folder, 'bundle.js');
  buildSync({ entryPoints: [join(root, 'dist/lib/index.js')], bundle: true, platform: 'node', outfile });
  expect(messageOf(outfile)).toMatch(/^nsclone has been bundled away from its package, .*external/);
});

test('a bundle is not taken for the program whose package it lies in', () => {
  writeFileSync(join(folder, 'package.json'), '{ "name": "app" }');
  const outfile = join(folder, 'bundle.js');
  buildSync({ entryPoints: [join(root, 'dist/lib/index.js')], bundle: true, platform: 'node', outfile });
  expect(messageOf(outfile)).toMatch(/^nsclone has been bundled away from its package/);
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

test('an install runs nothing', () => {
  const { scripts, gypfile } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    gypfile?: boolean;
  };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  // npm runs node-gyp for every package with a binding.gyp, but for this.
  expect(gypfile).toBe(false);
});
