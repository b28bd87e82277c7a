// sandbox COMMAND [ARGUMENT…]: a command that is not trusted, without network, privileges, and much of the kernel.
//
// SANDBOX_SECONDS is how long it may take. It sees the files of this host and may do with them what its user may: the user nobody where we are root, else ours.
import { constants } from 'node:os';

import { clone, type CloneOptions, Flags, isArgumentError, SyscallError } from 'nsclone';

import { denied, filter } from './filter';

const nobody = 65_534;
const seconds = Number(process.env['SANDBOX_SECONDS'] ?? 10);

/** Root becomes nobody; an ordinary user stays who it is. */
const identity: CloneOptions =
  process.geteuid!() === 0
    ? {
        uidMap: [{ containerID: nobody, hostID: nobody, size: 1 }],
        gidMap: [{ containerID: nobody, hostID: nobody, size: 1 }],
        uid: nobody,
        gid: nobody,
      }
    : { uidMap: 'keep', gidMap: 'keep' };

const options: CloneOptions = {
  // A new network namespace has no interface that is up.
  flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWUTS | Flags.NEWCGROUP,
  ...identity,
  hostname: 'sandbox',
  mounts: [{ type: 'proc', target: '/proc' }],
  init: true,
  // There capabilities could be had again.
  sysctl: { 'user.max_user_namespaces': '0' },
  // No capability, not even one that a program with the set-user-ID bit would bring.
  capabilities: [],
  noNewPrivileges: true,
  seccomp: filter(denied),
  keyring: 'new',
  rlimits: { as: 1 << 30, core: 0, cpu: 10, fsize: 16 << 20, nofile: 64, nproc: 64 },
  oomScoreAdj: 500,
  cwd: '/',
  env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' },
  stdio: 'inherit',
  // A session of its own: whose controlling terminal is ours could type into it, and our shell would run that (TIOCSTI, CVE-2017-5226).
  detached: true,
  timeout: seconds * 1000,
  // To pid 1, with which all the others end.
  killSignal: 'SIGKILL',
  parentDeathSignal: 'SIGKILL',
};

async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2);
  if (command === undefined) {
    console.error('usage: sandbox COMMAND [ARGUMENT…]');
    process.exitCode = 2;
    return;
  }
  try {
    const child = await clone(command, args, options);
    const { code, signal, endedBy } = await child.exited;
    if (endedBy === 'timeout') console.error(`sandbox: not done within ${seconds} s`);
    process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    if (!(error instanceof SyscallError) && !isArgumentError(error)) throw error;
    console.error(`sandbox: ${error.message}`);
    process.exitCode = 1;
  }
}

void main();
