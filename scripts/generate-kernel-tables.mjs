// Generates the vendored kernel tables in lib/kernel from the C headers of the system, for x64 and arm64.
//
//   node scripts/generate-kernel-tables.mjs      (Debian: gcc, gcc-aarch64-linux-gnu)
//
// CC_X64 and CC_ARM64 name other compilers, OXFMT_CONFIG another formatter configuration.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getSystemErrorMap } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const output = join(root, 'lib', 'kernel');
const compilers = {
  x64: process.env.CC_X64 ?? 'x86_64-linux-gnu-gcc',
  arm64: process.env.CC_ARM64 ?? 'aarch64-linux-gnu-gcc',
};

// The numbers of these are shared by all architectures (all are, from 424 on) and newer than some headers.
const syscallsByHand = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
};

// Constants newer than some headers; the same on every architecture.
const constantsByHand = {
  FSCONFIG_CMD_CREATE_EXCL: 8, // Linux 6.6
  MFD_EXEC: 0x10, // Linux 6.3
  MFD_NOEXEC_SEAL: 0x8, // Linux 6.3
  F_SEAL_EXEC: 0x20, // Linux 6.3
  MOVE_MOUNT_BENEATH: 0x200, // Linux 6.5
  NS_GET_MNTNS_ID: 0x8008b705, // Linux 6.11
  NS_GET_PID_FROM_PIDNS: 0x8004b706, // Linux 6.11
  NS_GET_TGID_FROM_PIDNS: 0x8004b707, // Linux 6.11
  NS_GET_PID_IN_PIDNS: 0x8004b708, // Linux 6.11
  NS_GET_TGID_IN_PIDNS: 0x8004b709, // Linux 6.11
};

const words = (text) => text.trim().split(/\s+/);

// Each unit is compiled alone: the kernel's headers and libc's define the same names twice.
const units = [
  {
    headers: words(`
      linux/sched.h linux/mount.h linux/fcntl.h linux/openat2.h linux/stat.h linux/prctl.h
      linux/resource.h linux/close_range.h linux/memfd.h asm/ioctls.h asm/termbits.h
      linux/poll.h linux/eventpoll.h linux/nsfs.h linux/securebits.h linux/seccomp.h
      linux/keyctl.h linux/personality.h linux/capability.h linux/pidfd.h linux/wait.h
    `),
    names: new RegExp(
      `^(${words(`
        CLONE_(?!ARGS_) MS_ MOUNT_ATTR_(?!SIZE_) MOVE_MOUNT_(?!_) OPEN_TREE_ FSOPEN_ FSMOUNT_ FSPICK_
        RESOLVE_ O_ AT_ F_ FD_CLOEXEC$ S_I PR_ RLIMIT_ CLOSE_RANGE_ MFD_ POLL(?!_|FREE) EPOLL NS_GET_ TIOC
        SECBIT_ SECCOMP_ KEYCTL_JOIN_SESSION_KEYRING$ PRIO_ CAP_ PIDFD_ P_(ALL|PID|PGID|PIDFD)$
        W(NOHANG|UNTRACED|STOPPED|EXITED|CONTINUED|NOWAIT)$
      `).join('|')})`,
    ),
    // Enumerators that have no macro of the same name.
    enumerators: words(`
      FSCONFIG_SET_FLAG FSCONFIG_SET_STRING FSCONFIG_SET_BINARY FSCONFIG_SET_PATH FSCONFIG_SET_PATH_EMPTY FSCONFIG_SET_FD
      FSCONFIG_CMD_CREATE FSCONFIG_CMD_RECONFIGURE UNAME26 ADDR_NO_RANDOMIZE MMAP_PAGE_ZERO ADDR_COMPAT_LAYOUT
      READ_IMPLIES_EXEC ADDR_LIMIT_32BIT SHORT_INODE WHOLE_SECONDS STICKY_TIMEOUTS ADDR_LIMIT_3GB PER_LINUX
      PER_LINUX_32BIT PER_LINUX32 PER_LINUX32_3GB PER_MASK
    `),
  },
  {
    headers: [
      'sys/socket.h',
      'linux/if.h',
      'linux/in.h',
      'linux/if_tun.h',
      'linux/sockios.h',
      'linux/netlink.h',
      'linux/ioctl.h',
    ],
    names:
      /^(AF_|SOCK_|MSG_|SO_|SOL_|SCM_(RIGHTS|CREDENTIALS)$|SIOC[GS]IF|SIOCGSKNS$|IFF_|IPPROTO_|TUN[GS]ET|NETLINK_)/,
    enumerators: [],
  },
  {
    headers: ['sys/mount.h'],
    names: /^(MNT_|UMOUNT_)/,
    enumerators: [],
  },
];

const scratch = mkdtempSync(join(tmpdir(), 'kernel-tables-'));
process.once('exit', () => rmSync(scratch, { recursive: true }));

const includes = (headers) => ['#define _GNU_SOURCE', ...headers.map((header) => `#include <${header}>`)];

function preprocess(compiler, lines, ...options) {
  return execFileSync(compiler, ['-E', '-P', ...options, '-xc', '-'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  });
}

function macroNames(compiler, headers) {
  return [...preprocess(compiler, includes(headers), '-dM').matchAll(/^#define (\w+) /gm)].map((match) => match[1]);
}

/** The values of C expressions as the compiler's assembly shows them; what is no integer constant is left out. */
function evaluate(compiler, headers, names) {
  const source = join(scratch, 'values.c');
  let rest = names;
  for (;;) {
    const lines = [
      ...includes(headers),
      ...rest.map((name) => `const long long value_${name} = (long long)(${name});`),
    ];
    writeFileSync(source, lines.join('\n'));
    const { status, stdout, stderr } = spawnSync(compiler, ['-S', '-w', '-fmax-errors=0', '-o', '-', source], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    if (status === 0) {
      const values = stdout.matchAll(/^value_(\w+):\n\s*\.(?:quad|xword|zero)\s+(-?\d+)$/gm);
      return new Map([...values].map(([text, name, value]) => [name, text.includes('.zero') ? 0n : BigInt(value)]));
    }
    const start = includes(headers).length;
    const bad = new Set(
      [...stderr.matchAll(/values\.c:(\d+):\d+: error/g)].map(([, line]) => Number(line) - 1 - start),
    );
    const next = rest.filter((_, index) => !bad.has(index));
    if (next.length === rest.length) throw new Error(stderr);
    const dropped = rest.filter((_, index) => bad.has(index));
    process.stderr.write(`no integer constants, left out: ${dropped.join(' ')}\n`);
    rest = next;
  }
}

function readConstants(compiler) {
  const all = new Map();
  for (const { headers, names, enumerators } of units) {
    const wanted = [...new Set([...macroNames(compiler, headers).filter((name) => names.test(name)), ...enumerators])];
    for (const [name, value] of evaluate(compiler, headers, wanted)) all.set(name, value);
  }
  for (const [name, value] of Object.entries(constantsByHand)) all.set(name, BigInt(value));
  return all;
}

function readSyscalls(compiler, header) {
  const names = macroNames(compiler, [header])
    .filter((name) => /^__NR_(?!3264_|syscalls$|arch_specific_syscall$)/.test(name))
    .map((name) => name.slice('__NR_'.length));
  // The prefix keeps the name itself out of the preprocessor's hands.
  const lines = [...includes([header]), ...names.map((name) => `=name_${name} __NR_${name}`)];
  const table = Object.fromEntries(
    [...preprocess(compiler, lines).matchAll(/^=name_(\w+)\s+(\d+)$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );
  if (Object.keys(table).length !== names.length) throw new Error(`${header}: a number that is no plain number`);
  return table;
}

function readErrors() {
  const names = macroNames(compilers.x64, ['asm/errno.h', 'errno.h']).filter((name) => /^E[A-Z0-9]+$/.test(name));
  const values = evaluate(compilers.x64, ['errno.h'], names);
  const source = join(scratch, 'messages.c');
  const program = join(scratch, 'messages');
  writeFileSync(
    source,
    '#include <stdio.h>\n#include <string.h>\nint main(void) { for (int i = 1; i < 134; i++) puts(strerror(i)); }',
  );
  execFileSync('cc', ['-o', program, source]);
  const messages = execFileSync(program, { encoding: 'utf8', env: { LC_ALL: 'C' } }).split('\n');
  const aliases = new Set(['EWOULDBLOCK', 'EDEADLOCK', 'EOPNOTSUPP']);
  const byName = [...values].map(([name, value]) => [name, Number(value)]).sort((a, b) => a[1] - b[1]);
  const byNumber = byName
    .filter(([name]) => !aliases.has(name))
    .map(([name, number]) => {
      const message = messages[number - 1].replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase());
      return [number, ...(getSystemErrorMap().get(-number) ?? [name, message])];
    });
  return { byName, byNumber };
}

const quote = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function literal(name, value) {
  if (name.startsWith('CLONE_') && value > 0xffffffffn) return `0x${value.toString(16)}n`;
  // (1 << 31) is negative in C and meant as a bit; -1 and AT_FDCWD are meant as they are.
  const plain = value < -0x40000000n ? value + 0x100000000n : value;
  if (plain < 10n || /^(AF|CAP|RLIMIT|PRIO|IPPROTO|SO|SOL|NETLINK|KEYCTL|EPOLL_CTL)_/.test(name)) return `${plain}`;
  if (/^(O|S)_/.test(name)) return `0o${plain.toString(8)}`;
  if (/^PR_|^F_[GS]ET/.test(name) && plain < 100n) return `${plain}`;
  return `0x${plain.toString(16)}`;
}

function constantsSource(x64, arm64) {
  const names = [...x64.keys()].filter((name) => arm64.has(name)).sort();
  const left = [...new Set([...x64.keys(), ...arm64.keys()])].filter((name) => !names.includes(name));
  if (left.length > 0) process.stderr.write(`only on one architecture, left out: ${left.join(' ')}\n`);
  const lines = names.map((name) => {
    const [here, there] = [literal(name, x64.get(name)), literal(name, arm64.get(name))];
    const note = name in constantsByHand ? ' // by hand: newer than the headers' : '';
    return `  ${name}: ${here === there ? here : `arm64 ? ${there} : ${here}`},${note}`;
  });
  return `// The kernel's constants for x64 and arm64. Generated by scripts/generate-kernel-tables.mjs: do not edit.

const arm64 = process.arch === 'arm64';

/**
 * The kernel's constants by their own names, with the values of this architecture. All are numbers (flags unsigned)
 * but \`CLONE_CLEAR_SIGHAND\` and \`CLONE_INTO_CGROUP\`, which lie above 32 bits and are bigint.
 */
export const constants = Object.freeze({
${lines.join('\n')}
} as const);

/** The name of a constant in {@link constants}. */
export type ConstantName = keyof typeof constants;
`;
}

function cloneConstantsSource(x64) {
  const lines = [...x64.keys()]
    .filter((name) => name.startsWith('CLONE_'))
    .sort()
    .map((name) => {
      const wide = x64.get(name) > 0xffffffffn ? ' A bigint: it lies above 32 bits.' : '';
      return `/** \`${name}\` as in clone(2).${wide} */\nexport const ${name} = constants.${name};`;
    });
  return `// Every CLONE_* constant as a named export. Generated by scripts/generate-kernel-tables.mjs: do not edit.
import { constants } from './constants';

${lines.join('\n')}
`;
}

function syscallsSource(arch, fromHeaders) {
  const inOrder = (table) => Object.entries(table).sort((a, b) => a[1] - b[1]);
  const line = ([name, number]) => `  ${name}: ${number},`;
  const newer = Object.fromEntries(Object.entries(syscallsByHand).filter(([name]) => !(name in fromHeaders)));
  return `// The system call numbers of ${arch}. Generated by scripts/generate-kernel-tables.mjs: do not edit.

/** System call name to number on ${arch}, see syscalls(2). */
export const syscalls${arch === 'x64' ? 'X64' : 'Arm64'} = {
${inOrder(fromHeaders).map(line).join('\n')}
  // By hand: newer than the headers.
${inOrder(newer).map(line).join('\n')}
} as const;
`;
}

function errnoSource({ byName }) {
  return `// Error numbers and names of x64 and arm64. Generated by scripts/generate-kernel-tables.mjs: do not edit.

/** Error name to its (positive) number, aliases included, see errno(3). */
export const errnoByName: Readonly<Record<string, number>> = Object.freeze(
  // A name from outside must never find a member of Object.prototype.
  Object.assign(Object.create(null) as Record<string, number>, {
${byName.map(([name, number]) => `    ${name}: ${number},`).join('\n')}
  }),
);

/** The number of an error name; \`undefined\` where there is none of that name. */
export function errnoNumber(name: string): number | undefined {
  return errnoByName[name];
}
`;
}

function errnoTextsSource({ byNumber }) {
  return `// Names and messages of error numbers. Generated by scripts/generate-kernel-tables.mjs: do not edit.

const errors: Readonly<Record<number, readonly [name: string, message: string]>> = {
${byNumber.map(([number, name, message]) => `  ${number}: [${quote(name)}, ${quote(message)}],`).join('\n')}
};

/**
 * The name of an error number, as in Node's \`error.code\` ('EPERM'; 95 is 'ENOTSUP' there); 'UNKNOWN' for one that
 * has none.
 * @param errno positive, or negative as in Node's \`error.errno\`
 */
export function errnoName(errno: number): string {
  return errors[Math.abs(errno)]?.[0] ?? 'UNKNOWN';
}

/**
 * The message of an error number in Node's wording ('operation not permitted'), see strerror(3).
 * @param errno positive, or negative as in Node's \`error.errno\`
 */
export function errnoMessage(errno: number): string {
  return errors[Math.abs(errno)]?.[1] ?? \`unknown error \${Math.abs(errno)}\`;
}
`;
}

const constants = { x64: readConstants(compilers.x64), arm64: readConstants(compilers.arm64) };
const errors = readErrors();
const files = {
  'constants.ts': constantsSource(constants.x64, constants.arm64),
  'clone-constants.ts': cloneConstantsSource(constants.x64),
  'syscalls-x64.ts': syscallsSource('x64', readSyscalls(compilers.x64, 'asm/unistd_64.h')),
  'syscalls-arm64.ts': syscallsSource('arm64', readSyscalls(compilers.arm64, 'asm/unistd.h')),
  'errno.ts': errnoSource(errors),
  'errno-texts.ts': errnoTextsSource(errors),
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(output, name), text);
const config = process.env.OXFMT_CONFIG === undefined ? [] : ['-c', process.env.OXFMT_CONFIG];
const written = Object.keys(files).map((name) => join(output, name));
execFileSync('npx', ['oxfmt', ...config, ...written], { cwd: root, stdio: 'inherit' });
