// What is asked of the kernel: new namespaces, as the steps of clone() make them.
import { Flags } from '../flags';
import { namespaces } from '../steps/namespaces';
import { process as secondClone } from '../steps/process';
import { propagation } from '../steps/propagation';
import { time } from '../steps/time';
import { user } from '../steps/user';
import type { Question } from './line';

/** A namespace that a process enters by itself; where we cannot make it, in a new user namespace. */
function kind(name: string, flag: number, within: readonly string[]): Question {
  return {
    name,
    needs: within,
    flags: flag,
    emit(writer, request) {
      const alone = request.copy();
      alone.flags = flag;
      namespaces.emit!(writer, alone);
    },
  };
}

export const userNamespace: Question = {
  name: 'user',
  needs: [],
  flags: Flags.NEWUSER,
  emit: (writer, request) => user.emit!(writer, request),
};

/** @param within what has to be there for who has no CAP_SYS_ADMIN: a user namespace */
export function allNamespaces(within: readonly string[]): Question[] {
  return [
    { name: 'time', needs: within, flags: Flags.NEWTIME, emit: (writer, request) => time.emit!(writer, request) },
    { name: 'pid', needs: within, flags: Flags.NEWPID, emit: (writer, request) => secondClone.emit!(writer, request) },
    kind('cgroup', Flags.NEWCGROUP, within),
    mountNamespace(within),
    kind('uts', Flags.NEWUTS, within),
    kind('ipc', Flags.NEWIPC, within),
    kind('net', Flags.NEWNET, within),
  ];
}

/** With its mounts private, as clone() has them where nothing else is asked for. */
export function mountNamespace(within: readonly string[]): Question {
  const made = kind('mnt', Flags.NEWNS, within);
  return {
    ...made,
    emit(writer, request) {
      made.emit(writer, request);
      const alone = request.copy();
      alone.propagation = 'private';
      propagation.emit!(writer, alone);
    },
  };
}
