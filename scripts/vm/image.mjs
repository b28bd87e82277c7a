// The file system of a guest, and the kernel in it: a small Debian with what the tests need, made by mmdebstrap(1).
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { installNode } from '../node-versions.mjs';

/** Where all else is of, unless the kernel's package is only installed beside a younger one. */
const usualUserland = 'bookworm';

/** Debian's kernels, by the name that one asks for: the suite that has it, and the architecture. */
export const kernels = new Map([
  ['5.10', { suite: 'bullseye', arch: 'x64' }],
  ['6.1', { suite: 'bookworm', arch: 'x64' }],
  ['6.12', { suite: 'bookworm-backports', arch: 'x64' }],
  ['newest', { suite: 'trixie-backports', arch: 'x64', userland: 'trixie' }],
  ['6.1-arm64', { suite: 'bookworm', arch: 'arm64' }],
]);

const debianNames = { x64: 'amd64', arm64: 'arm64' };

/** What `.ci/run` installs for the tests, and what any host has. */
const packages = `apparmor binutils bubblewrap busybox-static e2fsprogs g++ iproute2 iputils-ping kmod libcap2-bin login make mount
  passwd procps python3 strace uidmap util-linux`;

/** The modules that a guest's root is found by: to pack those of all machines takes an emulated guest longer than all else. */
const modules = ['virtio_pci', 'virtio_blk', 'ext4'];
const packOnly = [
  'mkdir -p "$1/etc/initramfs-tools/conf.d"',
  'echo MODULES=list >"$1/etc/initramfs-tools/conf.d/guest"',
  `printf '%s\\n' ${modules.join(' ')} >"$1/etc/initramfs-tools/modules"`,
].join(' && ');

/** Where this machine has its packages from, as a line of sources.list(5) for a suite. */
function sourceOf(suite) {
  const parts = '/etc/apt/sources.list.d';
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  for (const file of ['/etc/apt/sources.list', ...files].filter((path) => existsSync(path))) {
    const text = readFileSync(file, 'utf8');
    const line = /^deb +(?<options>\[[^\]]*\] +)?(?<uri>\S+)/m.exec(text);
    if (line !== null) return `deb ${line.groups.options ?? ''}${line.groups.uri} ${suite} main`;
    const uri = /^URIs: *(\S+)/m.exec(text)?.[1];
    const signed = /^Signed-By: *(\S+)/m.exec(text)?.[1];
    if (uri !== undefined) return `deb ${signed === undefined ? '' : `[signed-by=${signed}] `}${uri} ${suite} main`;
  }
  throw new Error('this machine has no source of Debian packages, see sources.list(5)');
}

/** This machine's Node, with its headers and npm; or the same version for another architecture. */
function addNode(arch, folder) {
  const isOurs = arch === process.arch;
  if (!isOurs) installNode(process.versions.node, folder, arch);
  const prefix = dirname(dirname(process.execPath));
  // npm is the same for each of them.
  for (const path of [...(isOurs ? ['bin/node', 'include/node'] : []), 'bin/npm', 'lib/node_modules/npm']) {
    const from = join(prefix, path);
    if (existsSync(from)) cpSync(from, join(folder, path), { recursive: true, verbatimSymlinks: true });
  }
}

/** The newest file of this kind that the packages of a kernel have put there. */
function inBoot(root, kind) {
  const found = readdirSync(join(root, 'boot')).filter((name) => name.startsWith(`${kind}-`));
  return join(root, 'boot', found.sort().at(-1));
}

/**
 * Makes the disk of a guest: an ext4 file system, and beside it the kernel of this name and what that boots by.
 *
 * @param folder where the files stay; what is there already is not made again
 * @param name one of {@link kernels}; any other stands for a kernel of the caller's own
 * @returns the paths of `disk`, `kernel` and `initrd`, as far as there are such
 */
export function imageWith(folder, name) {
  const files = { disk: join(folder, 'disk'), kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd') };
  const made = () => Object.fromEntries(Object.entries(files).filter(([, file]) => existsSync(file)));
  if (existsSync(files.disk)) return made();
  const { userland = usualUserland, suite = userland, arch = process.arch } = kernels.get(name) ?? {};
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'nsclone-image-'));
  const root = join(work, 'root');
  const debianName = debianNames[arch];
  try {
    const include = [packages, ...(!kernels.has(name) ? [] : [`linux-image-${debianName}/${suite}`])];
    const options = [
      '--variant=minbase',
      `--architectures=${debianName}`,
      `--essential-hook=${packOnly}`,
      `--include=${include.join(' ').replaceAll(/\s+/g, ' ')}`,
    ];
    const sources = [...new Set([userland, suite])].map((one) => sourceOf(one));
    execFileSync('mmdebstrap', [...options, userland, root, ...sources], { stdio: 'inherit' });
    addNode(arch, join(root, 'usr/local'));
    copyFileSync(join(dirname(fileURLToPath(import.meta.url)), 'first.sh'), join(root, 'sbin/first'));
    chmodSync(join(root, 'sbin/first'), 0o755);
    if (kernels.has(name)) {
      copyFileSync(inBoot(root, 'vmlinuz'), files.kernel);
      copyFileSync(inBoot(root, 'initrd.img'), files.initrd);
    }
    const disk = `${files.disk}.new`;
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-d', root, disk, '4G']);
    renameSync(disk, files.disk);
    return made();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
