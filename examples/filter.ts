// A filter of system calls, assembled by hand: struct sock_filter of linux/filter.h, as seccomp(2) takes it.

/** Numbers of system calls, x64 and arm64; from 424 on they are the same everywhere. */
const numbers = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  unshare: [272, 97],
  setns: [308, 268],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  open_by_handle_at: [304, 265],
  kexec_load: [246, 104],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
} as const;

export type Name = keyof typeof numbers;

/** How processes are made, and namespaces with them. clone3(2) has its flags in memory, where no filter sees them. */
const clone = [56, 220] as const;
const clone3 = 435;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h. */
const newNamespaces = 0x7e02_0000;

/** All of the above: tracing, mounts, namespaces, keys, and doors into the kernel that few programs need. */
export const denied = Object.keys(numbers) as Name[];

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h. */
const architectures: Readonly<Record<string, { audit: number; column: 0 | 1 }>> = {
  x64: { audit: 0xc000_003e, column: 0 },
  arm64: { audit: 0xc000_00b7, column: 1 },
};

// linux/bpf_common.h and linux/seccomp.h
const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const KILL = 0x8000_0000;
const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0000 | 1; // SECCOMP_RET_ERRNO
const ENOSYS = 0x0005_0000 | 38;

/** struct seccomp_data: the number at 0, the architecture at 4, the lower half of the first argument at 16. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FLAGS = 16;

/** Numbers from here on are those of the x32 interface of x64, which has every call a second time. */
const x32 = 0x4000_0000;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, k], index) => {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  });
  return bytes;
}

/**
 * A filter by which these calls fail with EPERM, and so does clone(2) with new namespaces; C libraries take that where clone3(2) is
 * not there. A program of another architecture is killed: its numbers mean others.
 */
export function filter(names: readonly Name[]): Uint8Array {
  const architecture = architectures[process.arch];
  if (architecture === undefined) throw new Error(`no system call numbers for ${process.arch}`);
  const { audit, column } = architecture;
  const checks = names.length + 1;
  return assemble([
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [IF_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL],
    [LOAD_WORD, 0, 0, NUMBER],
    [IF_EQUAL, 0, 1, clone3],
    [RETURN, 0, 0, ENOSYS],
    [IF_EQUAL, 0, 3, clone[column]],
    [LOAD_WORD, 0, 0, FLAGS],
    // Jumps count from the next instruction on: to the last one, behind all checks and the ALLOW.
    [IF_ANY_BIT, checks + 2, 0, newNamespaces],
    [RETURN, 0, 0, ALLOW],
    [IF_AT_LEAST, checks, 0, x32],
    ...names.map((name, index): Instruction => [IF_EQUAL, checks - 1 - index, 0, numbers[name][column]]),
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, EPERM],
  ]);
}
