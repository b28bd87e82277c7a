// Runs the tests on another kernel, in a virtual machine, as root and as an ordinary user:
//
//   npm run test:vm -- 6.1                                     on Debian's Linux 6.1, by QEMU, which emulates it: for hours
//   npm run test:vm -- 6.12 --user 1000 test/trust test/run    as one of the users, some of the tests
//   npm run test:vm -- 6.12 --sysctl vm.memfd_noexec=2         where the guest is set so; or has words on its command line:
//   npm run test:vm -- 6.12 --append security=apparmor
//   npm run test:vm -- 6.1 --cpus 1 test/trust                 two of these at once take as long as one of two processors
//   npm run test:vm -- ./linux --disk ./root.ext4              on a kernel, and with a file system, of one's own
//
// A kernel that is a program (user-mode Linux) is run as one, which takes minutes. It needs to be root on Debian 12, with mmdebstrap,
// e2fsprogs and qemu-system-x86; for arm64 with what .ci/nightly installs for it. Disks are kept in build/vm.
// A file system of one's own has scripts/vm/first.sh as /sbin/first, Node, and what the tests need.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { toolsFor } from './cross-tools.mjs';
import { imageWith, kernels } from './vm/image.mjs';
import { commandOf, isProgram } from './vm/machine.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** More than what is reported of all tests. */
const roomForResults = 64 << 20;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    user: { type: 'string', multiple: true, default: ['0', '1000'] },
    env: { type: 'string', multiple: true, default: [] },
    sysctl: { type: 'string', multiple: true, default: [] },
    append: { type: 'string', multiple: true, default: [] },
    disk: { type: 'string' },
    initrd: { type: 'string' },
    memory: { type: 'string', default: '6G' },
    cpus: { type: 'string', default: '2' },
    slow: { type: 'string' },
  },
});
const [wanted = '', ...patterns] = positionals;

/** The kernel that was asked for and the disk for it, made where there is none yet. */
function findGuest() {
  const isKnown = kernels.has(wanted);
  const { arch } = kernels.get(wanted) ?? process;
  const own = isKnown ? {} : { kernel: resolve(wanted), initrd: options.initrd };
  const folder = join(root, 'build/vm', isKnown ? wanted : 'own');
  const made = options.disk === undefined ? imageWith(folder, wanted) : { disk: resolve(options.disk) };
  const { memory, cpus, append } = options;
  return { ...made, ...own, arch, memory, cpus, append };
}

/** The checkout for this architecture: where it is another one, with other node_modules, and built by a cross compiler. */
function checkoutFor(arch, folder) {
  if (arch === process.arch) return root;
  const copy = join(folder, 'checkout');
  mkdirSync(copy);
  const left = ['.git', 'build', 'node_modules', 'prebuilds'].map((name) => `--exclude=./${name}`);
  const archive = execFileSync('tar', ['--create', ...left, '.'], { cwd: root, maxBuffer: Infinity });
  execFileSync('tar', ['--extract'], { cwd: copy, input: archive });
  const install = ['ci', '--ignore-scripts', '--os=linux', `--cpu=${arch}`];
  execFileSync('npm', install, { cwd: copy, stdio: 'inherit' });
  const env = { ...toolsFor(arch).environment, npm_config_arch: arch };
  execFileSync(process.execPath, ['scripts/build-native.mjs'], { cwd: copy, env, stdio: 'inherit' });
  return copy;
}

const quoted = (words) => `(${words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')})`;

/** The archive that the guest unpacks: the script that it runs, what was asked for, and a checkout. @returns its path */
function writeJob(folder, slow, checkout) {
  const lists = { environment: options.env, sysctls: options.sysctl, users: options.user, patterns };
  const lines = Object.entries(lists).map(([name, words]) => `${name}=${quoted(words)}\n`);
  writeFileSync(join(folder, 'job.sh'), `${lines.join('')}slow=${slow}\n`);
  const archive = join(folder, 'job.tar');
  const tar = (...args) => execFileSync('tar', [`--file=${archive}`, '--owner=0', '--group=0', ...args]);
  tar('--create', `--directory=${folder}`, 'job.sh', `--directory=${join(root, 'scripts/vm')}`, 'guest.sh');
  const left = ['.git', 'build/vm', 'prebuilds', 'bench/results'].map((name) => `--exclude=./${name}`);
  // What files are called, and not what links say.
  tar('--append', ...left, String.raw`--transform=s,^\.,nsclone,rSh`, `--directory=${checkout}`, '.');
  return archive;
}

/** Prints what failed as this user. @returns whether nothing did, and something was tried */
function report(folder, user) {
  const file = join(folder, `${user}.json`);
  if (!existsSync(file)) {
    console.log(`user ${user}: no report`);
    return false;
  }
  const results = JSON.parse(readFileSync(file, 'utf8'));
  const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = results;
  console.log(`user ${user}: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
  for (const { name, status, assertionResults } of results.testResults) {
    const path = name.replace(/^.*\/nsclone\//, '');
    const failed = assertionResults.filter((one) => one.status === 'failed');
    for (const { fullName } of failed) console.log(`  ${path}: ${fullName}`);
    if (status === 'failed' && failed.length === 0) console.log(`  ${path} did not load`);
  }
  return results.success && numRuntimeErrorTestSuites === 0 && numPassedTests > 0;
}

async function main(folder) {
  const guest = findGuest();
  const slow = options.slow ?? (isProgram(guest.kernel) ? 4 : 30);
  const job = writeJob(folder, slow, checkoutFor(guest.arch, folder));
  const results = join(folder, 'results');
  writeFileSync(results, '');
  truncateSync(results, roomForResults);
  const [program, args] = commandOf(guest, folder, job, results);
  const machine = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => machine.kill('SIGKILL'));
  await once(machine, 'close');
  const reports = join(folder, 'reports');
  mkdirSync(reports);
  execFileSync('tar', ['--extract', `--directory=${reports}`, `--file=${results}`]);
  const good = options.user.map((user) => report(reports, user));
  const refused = join(reports, 'refused');
  if (existsSync(refused)) console.log(`not set: ${readFileSync(refused, 'utf8').trim().replaceAll('\n', ', ')}`);
  return good.every(Boolean) && !existsSync(refused);
}

if (!kernels.has(wanted) && !existsSync(wanted)) {
  console.error('usage: npm run test:vm -- KERNEL [OPTION…] [TESTS…], see scripts/test-vm.mjs');
  console.error(`KERNEL is one of ${[...kernels.keys()].join(', ')}, or a file`);
  process.exitCode = 2;
} else {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-vm-'));
  try {
    process.exitCode = (await main(folder)) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
