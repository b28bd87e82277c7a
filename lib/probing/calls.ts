// What is asked of the kernel: system calls that need no namespace.
import * as call from '../assembly/calls';
import { host } from '../host/host';
import { constants } from '../kernel/constants';
import { stubHint } from '../stub-hint';
import type { Question } from './line';

const { MFD_CLOEXEC, MFD_EXEC, PR_SET_NO_NEW_PRIVS, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_SET_MODE_FILTER } =
  constants;

/** More than a process may have open. */
const mostDescriptors = 0x7fffffff;
/** LANDLOCK_CREATE_RULESET_VERSION of linux/landlock.h. */
const askVersion = 1;
/** One instruction, BPF_RET | BPF_K with SECCOMP_RET_ALLOW: all calls may be made. */
const allowingAll = Buffer.from('060000000000ff7f', 'hex');
/** LANDLOCK_RULE_PATH_BENEATH, and what it takes. */
const pathBeneath = 1;
const pathBeneathSize = 16;
/** `struct sock_fprog`: its size, and where the pointer is. */
const filterProgram = { size: 16, filter: 8 };

const clone3: Question = {
  name: 'clone3',
  needs: [],
  flags: 0,
  emit(writer) {
    // The kernel itself says that there are no arguments.
    writer.about('clone3').call('clone3').number(0).number(0).accept('EINVAL');
  },
};

const pidfd: Question = {
  name: 'pidfd',
  needs: [],
  flags: 0,
  emit(writer) {
    const own = writer.about('pidfd').add(call.getpid).keep();
    writer.call('pidfd_open').result(own).number(0);
  },
};

/** As the step closeFds calls it in every command where nothing else is asked for. */
const closeFds: Question = {
  name: 'closeFds',
  needs: [],
  flags: 0,
  emit(writer) {
    writer.about('closeFds').add(call.close_range, mostDescriptors, mostDescriptors);
  },
};

/** Where NSCLONE_STUB names a file, the child has not been executed from memory. */
const executableMemory: Question = {
  name: 'executableMemory',
  needs: [],
  flags: 0,
  emit(writer) {
    if ((process.env['NSCLONE_STUB'] ?? '') === '') return;
    writer.about('executableMemory').call('memfd_create').place(writer.addText('nsclone/probe'));
    // Before Linux 6.3 every memory file is executable.
    writer.number(MFD_CLOEXEC | MFD_EXEC).accept('EINVAL');
  },
  hint: (code) => stubHint('', code, 'memfd_create'),
};

const landlock: Question = {
  name: 'landlock',
  needs: [],
  flags: 0,
  emit(writer) {
    const version = writer
      .about('landlock')
      .call('landlock_create_ruleset')
      .number(0)
      .number(0)
      .number(askVersion)
      .keep();
    // What follows is looked at in this order: the call, the right to it, and the ruleset, which is none.
    const nothing = -1;
    writer
      .call('landlock_add_rule')
      .number(nothing)
      .number(pathBeneath)
      .place(writer.reserve(pathBeneathSize))
      .number(0);
    writer.accept('EBADF').add(call.prctl, PR_SET_NO_NEW_PRIVS, 1);
    writer.call('landlock_restrict_self').number(nothing).number(0).accept('EBADF');
    return version;
  },
  tell: (version) => `ABI ${version}`,
  hint(code) {
    if (code === 'ENOSYS') return { cause: 'kernel', detail: 'this kernel was built without Landlock' };
    return code === 'EOPNOTSUPP' || code === 'ENOTSUP'
      ? {
          cause: 'kernel',
          detail: 'Landlock is switched off',
          hint: `have it among the security modules that the kernel starts with: lsm=landlock,${host.read('/sys/kernel/security/lsm') ?? '…'}`,
        }
      : undefined;
  },
};

/** Filters hold for the rest of the line, so they come last. */
function filter(name: string, needs: readonly string[], flags: number): Question {
  return {
    name,
    needs,
    flags: 0,
    emit(writer) {
      const program = writer.reserve(filterProgram.size);
      writer.setInt32(program, 1);
      writer.point(program + filterProgram.filter, writer.addBytes(allowingAll));
      writer.about(name).add(call.prctl, PR_SET_NO_NEW_PRIVS, 1);
      writer.add(call.seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    },
    hint: (code) =>
      code === 'EBUSY'
        ? { cause: 'seccomp', detail: 'a filter is on us already that asks another process' }
        : undefined,
  };
}

export const before: readonly Question[] = [executableMemory, closeFds, clone3, pidfd];

export const after: readonly Question[] = [
  landlock,
  filter('seccomp', [], 0),
  filter('seccompListener', ['seccomp'], SECCOMP_FILTER_FLAG_NEW_LISTENER),
];
