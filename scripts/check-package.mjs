// Packs the package as it would be published, looks at it, installs it into an empty project and uses it there.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';

import { install, pack, root, run, use } from './packed.mjs';

const wanted = [
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'dist/lib/index.d.mts',
  'dist/lib/index.d.ts',
  'dist/lib/seccomp.d.mts',
  'dist/lib/seccomp.d.ts',
  ...[
    'constants',
    'core',
    'filters',
    'fork',
    'front',
    'late',
    'limits',
    'mounts',
    'namespaces',
    'options',
    'output',
    'probe',
    'recording',
    'seccomp',
  ].flatMap((name) => [`dist/lib/${name}.js`, `dist/lib/${name}.js.map`]),
  'dist/lib/cli.js',
  'dist/lib/index.js',
  'dist/lib/index.mjs',
  'dist/lib/seccomp.mjs',
  ...['all.js', 'index.d.mts', 'index.d.ts', 'index.js', 'index.mjs'].map((name) => `dist/tools/bwrap/${name}`),
  'package.json',
  `prebuilds/linux-${process.arch}/nsclone.glibc.node`,
  `prebuilds/linux-${process.arch}/nsclone_stub`,
  'scripts/build-native.mjs',
  'scripts/node-headers.mjs',
];
const allowed =
  /^(dist\/(lib|types)\/.*\.[cm]?js|dist\/(lib|types)\/.*\.d\.[cm]?ts|prebuilds\/linux-\w+\/nsclone(\.glibc\.node|_stub)|src-native\/.*\.(cc|h|gypi|py)|docs\/.*\.(md|svg)|docs\/images\/.*\.json|examples\/.*\.ts)$/;
/** Unpacked. Of what is prebuilt each processor's is asked for alone: the answer is the same where only one is there. */
const mostBytes = { prebuilt: 150_000, others: 1_250_000 };

const typed = `
export async function codeOf(command: string): Promise<number | null> {
  const child: ClonedProcess = await clone(command, ['-c', 'exit 3'], { flags: Flags.NEWUSER | Flags.NEWPID });
  return (await child.exited).code;
}
export const started = ({ command, args, options }: BwrapCommand): Promise<ClonedProcess> => clone(command, args, options);
void started(fromBwrap(['true']));
// @ts-expect-error -- a hostname is a string
void clone('/bin/true', { hostname: 5 });
`;
const imported = `import { clone, Flags, type ClonedProcess } from 'nsclone';
import { fromBwrap, type BwrapCommand } from 'nsclone/bwrap';
`;
const sources = {
  'typed.cts': `${imported}${typed}`,
  'typed.mts': `${imported}${typed}`,
  // The library's declarations are checked too: skipLibCheck stays off.
  'tsconfig.json': JSON.stringify({
    compilerOptions: { module: 'node20', target: 'es2022', strict: true, noEmit: true, types: ['node'] },
    include: ['*.cts', '*.mts'],
  }),
};

const tool = (name) => join(root, 'node_modules/.bin', name);
const heading = (text) => console.log(`package: ${text}`);

function checkFiles(files) {
  const missing = wanted.filter((file) => !files.includes(file));
  const foreign = files.filter((file) => !wanted.includes(file) && !allowed.test(file));
  if (missing.length > 0) throw new Error(`lacks ${missing.join(', ')} (npm run build; npm run prebuilds)`);
  if (foreign.length > 0) throw new Error(`should not have ${foreign.join(', ')}`);
}

function checkSizes(sizes) {
  const bytes = {};
  for (const { path, size } of sizes) {
    const name = /^prebuilds\/[^/]+/.exec(path)?.[0] ?? 'all but prebuilds';
    bytes[name] = (bytes[name] ?? 0) + size;
  }
  for (const [name, size] of Object.entries(bytes)) {
    const most = name.startsWith('prebuilds/') ? mostBytes.prebuilt : mostBytes.others;
    heading(`${name}: ${size} bytes unpacked, of at most ${most}`);
    if (size > most) throw new Error(`${name}: ${size} bytes unpacked are more than ${most}`);
  }
}

/** What a page of a registry shows must lead somewhere: links are absolute, or to what is packed too. */
function checkLinks(files) {
  const isThere = (target) => files.some((file) => file === target || file.startsWith(`${target}/`));
  const broken = files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      Array.from(
        readFileSync(join(root, file), 'utf8').matchAll(/(?:\]\(|\bsrc(?:set)?=")([^)#\s"]+)/g),
        ([, link]) => link,
      )
        .filter((link) => !link.includes('://') && !isThere(posix.join(posix.dirname(file), link)))
        .map((link) => `${file}: ${link}`),
    );
  if (broken.length > 0) throw new Error(`links to what is not in the package: ${broken.join(', ')}`);
}

/** What is needed to compile a user of it. */
function addTypes(consumer) {
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(consumer, name), source);
  for (const name of ['@types/node', 'undici-types']) {
    cpSync(join(root, 'node_modules', name), join(consumer, 'node_modules', name), { recursive: true });
  }
}

/** The command, by the name that npx knows; what it tells is this host's, whatever that is. */
function useCommand(consumer) {
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'nsclone', 'doctor', '--json'], {
    cwd: consumer,
    encoding: 'utf8',
  });
  if ((status !== 0 && status !== 1) || typeof JSON.parse(stdout).namespaces.user.available !== 'boolean')
    throw new Error(`npx nsclone doctor has ended with ${status}:\n${stdout}${stderr}`);
}

function useAll(consumer, stub) {
  use(consumer, 'use.cjs');
  use(consumer, 'use.mjs');
  use(consumer, 'use.cjs', ['env', `NSCLONE_STUB=${join(consumer, 'node_modules/nsclone', stub)}`, process.execPath]);
}

function check(folder) {
  const { archive, files, sizes, size } = pack(root, folder);
  heading(`${files.length} files, ${Math.round(size / 1024)} kB packed`);
  checkFiles(files);
  checkLinks(files);
  checkSizes(sizes);
  heading('publint');
  run(tool('publint'), ['run', archive, '--strict']);
  heading('are the types wrong?');
  run(tool('attw'), [archive, '--profile', 'node16', '--no-emoji']);
  const consumer = join(folder, 'consumer');
  heading('install without scripts, use by require() and import');
  install(consumer, archive);
  useAll(consumer, `prebuilds/linux-${process.arch}/nsclone_stub`);
  useCommand(consumer);
  heading('install from a lock file, with scripts allowed');
  run('npm', ['install', '--offline', '--package-lock-only', '--no-audit', '--no-fund'], consumer);
  run('npm', ['ci', '--offline', '--no-audit', '--no-fund'], consumer);
  if (existsSync(join(consumer, 'node_modules/nsclone/build'))) throw new Error('npm ci has built it');
  heading('type-check a user of it');
  addTypes(consumer);
  run(tool('tsc'), ['-p', consumer]);
  heading('build it from source, use it again');
  const installed = join(consumer, 'node_modules/nsclone');
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const failed = spawnSync(process.execPath, ['use.cjs'], { cwd: consumer, encoding: 'utf8' });
  const command = /^Error: .*build it with: (.*)$/m.exec(failed.stderr)?.[1];
  if (command === undefined) throw new Error(`without an addon: ${failed.stderr}`);
  run('sh', ['-c', `npm_config_ignore_scripts=true ${command}`], consumer);
  useAll(consumer, 'build/Release/nsclone_stub');
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-package-')));
try {
  check(folder);
  heading('good');
} catch (error) {
  // What the failed program said on its standard output; the rest is on the terminal already.
  if (error.stdout) console.error(error.stdout);
  console.error(`package: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
