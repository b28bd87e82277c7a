// Step `process`: the second clone, where the program must be born into what only a new process can enter.
import { fileDescriptor, path } from '../check';
import { invalidArgType } from '../errors/argument-error';
import { Flags } from '../flags';
import { whyNoMoreProcesses, whyNotSupported } from '../host/control-groups';
import { holds } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { ChannelWord, Message, ReportPid } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';
import type { Request } from './request';
import type { Step } from './step';
import { lowestFree } from './words';

const { AT_FDCWD, CLONE_INTO_CGROUP, MSG_NOSIGNAL, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY, PR_SET_PDEATHSIG } =
  constants;
const SIGKILL = 9;
const born = Uint8Array.of(Message.Born);

/** `struct clone_args`, up to and with its field `cgroup`. */
const cloneArgs = { size: 88, flags: 0, parentTid: 24, cgroup: 80 };

/** PARENT: the program stays Node's own child. PARENT_SETTID: its pid is known should it be killed before its first word. */
function flagsOf(request: Request): number {
  return (Flags.PARENT | Flags.PARENT_SETTID | (request.flags & Flags.NEWPID)) >>> 0;
}

function legacyClone(writer: Writer, request: Request): void {
  writer.add(call.clone, flagsOf(request), 0, ReportPid).fork();
}

function checkPath(value: unknown): string {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return path(value, 'cgroup');
  throw invalidArgType('cgroup', 'of type string or number, or an instance of URL', value);
}

/** Opened before the view changes. The stub's copy of a descriptor of ours has its number, until stdio takes that. */
export const cgroupFolder: Step = {
  name: 'cgroup',
  options: ['cgroup'],
  onlyWhenGiven: true,
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  check(given, request) {
    const { cgroup } = given;
    request.cgroup = typeof cgroup === 'number' ? fileDescriptor(cgroup, 'cgroup') : checkPath(cgroup);
  },

  emit(writer, request) {
    const { cgroup } = request;
    if (cgroup === undefined) return;
    writer.about(this.name, 'cgroup').subject(typeof cgroup === 'string' ? cgroup : undefined);
    if (typeof cgroup === 'number') {
      writer.keepOpen(cgroup);
      writer.add(call.fcntl, cgroup, constants.F_DUPFD_CLOEXEC, lowestFree(request));
    } else {
      writer.add(call.openat, AT_FDCWD, writer.addText(cgroup), O_PATH | O_DIRECTORY | O_CLOEXEC);
      // Where Node's own stdio is closed, it may have got one of those numbers.
      const opened = writer.keep();
      writer.add(call.fcntlOf, opened, constants.F_DUPFD_CLOEXEC, lowestFree(request));
      request.cgroupSlot = writer.keep();
      writer.add(call.close, opened);
      return;
    }
    request.cgroupSlot = writer.keep();
  },

  hint(code, _label, request) {
    if (code === 'EBADF' || code === 'ENOTDIR') return 'it must be a folder of the cgroup v2 hierarchy, not one of v1';
    // The second one of older kernels, for a folder that was removed while it was open.
    if (code === 'ENOENT' || code === 'ENODEV') return 'there is no such folder in the cgroup v2 hierarchy';
    if (code === 'EACCES') return 'we may not write its cgroup.procs, or that of the common ancestor';
    if (code === 'EOPNOTSUPP' || code === 'ENOTSUP') return whyNotSupported(request.cgroup);
    if (code === 'EBUSY') return 'it has controllers enabled for its children, so no process may be in it itself';
    return whyNoProcess(code, request);
  },
};

/** Why the kernel makes no process, whichever call it is asked by. */
function whyNoProcess(code: string, request: Request): string | undefined {
  if (code === 'EPERM' && !request.creates(Flags.NEWUSER) && holds(constants.CAP_SYS_ADMIN) !== true)
    return 'needs CAP_SYS_ADMIN; add Flags.NEWUSER';
  if (code === 'ENOSPC') {
    return 'no (more) pid namespaces here; see sysctl user.max_pid_namespaces and the nesting limit of 32';
  }
  if (code === 'ENOMEM' && request.joinsAny(Flags.NEWPID)) {
    return 'the pid 1 of the pid namespace that was joined has ended: no process can be born there any more';
  }
  if (code === 'EAGAIN') return whyNoMoreProcesses(request.cgroup);
  return undefined;
}

function cloneIntoCgroup(writer: Writer, request: Request, cgroup: Slot): void {
  const args = writer.reserve(cloneArgs.size);
  writer.setInt64(args + cloneArgs.flags, Number(BigInt(flagsOf(request)) | CLONE_INTO_CGROUP));
  writer.about('cgroup', 'cgroup').subject(typeof request.cgroup === 'string' ? request.cgroup : undefined);
  writer.storeReport(ReportPid, args + cloneArgs.parentTid);
  writer.store(cgroup, args + cloneArgs.cgroup, 8);
  writer.add(call.clone3, args, cloneArgs.size).fork();
  // Container profiles forbid clone3(2): then this process goes into the cgroup itself, and its child is born there.
  writer.skip('ENOSYS', 1).skip('EPERM', 1);
  writer.jump(5);
  // In every cgroup of v2, and in none of v1, which it must not fall into.
  writer.add(call.faccessat, cgroup, writer.addText('cgroup.controllers'));
  writer.add(call.openatOf, cgroup, writer.addText('cgroup.procs'), O_WRONLY | O_CLOEXEC);
  const procs = writer.keep();
  writer.add(call.write, procs, writer.addText('0'), 1).minimum(1);
  writer.add(call.close, procs);
  legacyClone(writer, request);
}

export const process: Step = {
  name: 'process',
  options: [],
  after: {
    cgroup: 'the program is born into it',
    join: 'a pid namespace is entered by the next child',
    user: 'a pid namespace belongs to the user namespace that it is made in',
    time: 'a time namespace is entered by the next child',
  },

  emit(writer, request) {
    const { cgroup } = request;
    const needed =
      request.creates(Flags.NEWPID | Flags.NEWTIME) || request.joinsAny(Flags.NEWPID) || cgroup !== undefined;
    if (!needed) return;
    const joined = request.joins.find((join) => (join.flags & Flags.NEWPID) !== 0);
    if (cgroup === undefined) legacyClone(writer.about(this.name, joined?.option ?? 'flags'), request);
    else cloneIntoCgroup(writer, request, request.cgroupSlot);
    writer.about(this.name, 'flags');
    // A clone clears it, so once more, and before anything else: a Node that ends now must take the set-up with it.
    writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
    // Its first word: with it the kernel tells Node who it is, which nobody else can say. It fails where Node has gone.
    writer.add(call.sendto, ChannelWord, writer.addBytes(born), 1, MSG_NOSIGNAL);
  },

  hint: (code, _label, request) => whyNoProcess(code, request),
};
