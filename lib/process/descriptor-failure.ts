// The error of a descriptor that we open for a child, before there is one or while it waits.
import { SyscallError, type SyscallErrorInit } from '../errors/syscall-error';
import { whyNotLaunched } from '../host/launching';
import { errnoName } from '../kernel/errno-texts';
import { syscallName } from '../kernel/syscalls';

/** @param call the number of the system call */
export function descriptorFailure(
  errno: number,
  about: Pick<SyscallErrorInit, 'step' | 'option' | 'path'>,
  call: number,
): SyscallError {
  const syscall = syscallName(call);
  return new SyscallError({ errno, ...about, syscall, hint: whyNotLaunched(errnoName(errno), syscall ?? '') });
}
