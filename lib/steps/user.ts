// Step `user`: the new user namespace and its id maps.
import { writeFileSync } from 'node:fs';
import { getegid, geteuid } from 'node:process';

import { oneOf } from '../check';
import { refusedOption } from '../errors/argument-error';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { hasCapability } from '../privilege';
import type { Slot, Writer } from '../program/writer';
import { needs } from './needs';
import type { MapForm } from './request';
import type { Step } from './step';

const { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY, CAP_SETGID } = constants;

const forms: readonly MapForm[] = ['root', 'keep'];

/** One line of a map file: our own id, which the stub may map by itself, see user_namespaces(7). */
export function mapLine(form: MapForm, own: number): string {
  return `${form === 'root' ? 0 : own} ${own} 1\n`;
}

function writeFile(writer: Writer, proc: Slot, file: string, text: string): void {
  writer.subject(`/proc/self/${file}`);
  writer
    .call('openat')
    .result(proc)
    .text(file)
    .number(O_WRONLY | O_CLOEXEC);
  const descriptor = writer.keep();
  // The kernel takes a map in one write; a shorter one would be half a map.
  writer.call('write').result(descriptor).text(text).number(text.length).minimum(text.length);
  writer.call('close').result(descriptor);
}

export const user: Step = {
  name: 'user',
  options: ['uidMap', 'gidMap', 'setgroups'],
  after: {},

  check(given, request) {
    if (given.uidMap !== undefined) request.uidMap = oneOf(given.uidMap, 'uidMap', forms);
    if (given.gidMap !== undefined) request.gidMap = oneOf(given.gidMap, 'gidMap', forms);
    if (given.setgroups !== undefined) request.setgroups = oneOf(given.setgroups, 'setgroups', ['allow', 'deny']);
  },

  settle(request) {
    const { uidMap, gidMap, setgroups } = request;
    if (uidMap !== undefined) needs(request, 'uidMap', Flags.NEWUSER, 'it maps the ids of a new user namespace');
    if (gidMap !== undefined) needs(request, 'gidMap', Flags.NEWUSER, 'it maps the ids of a new user namespace');
    if (setgroups !== undefined) needs(request, 'setgroups', Flags.NEWUSER, 'it is a property of a new user namespace');
    if (gidMap === undefined) {
      if (setgroups === 'allow')
        throw refusedOption('setgroups', "cannot be 'allow' without gidMap: no group has an id");
      return;
    }
    const privileged = hasCapability(CAP_SETGID);
    if (setgroups === 'allow' && !privileged) {
      throw refusedOption('setgroups', "cannot be 'allow' without CAP_SETGID: the kernel refuses such a gid map");
    }
    request.gidMapByParent = privileged && setgroups !== 'deny';
  },

  emit(writer, request) {
    if (!request.creates(Flags.NEWUSER)) return;
    const { uidMap, gidMap, setgroups } = request;
    const byStub = uidMap !== undefined || (gidMap !== undefined && !request.gidMapByParent) || setgroups === 'deny';
    let proc: Slot = 0;
    if (byStub) {
      // Before the view changes. The files themselves belong to the namespace that they are opened in.
      writer
        .about(this.name, uidMap === undefined ? (gidMap === undefined ? 'setgroups' : 'gidMap') : 'uidMap')
        .subject('/proc/self');
      writer
        .call('openat')
        .number(AT_FDCWD)
        .text('/proc/self')
        .number(O_PATH | O_DIRECTORY | O_CLOEXEC);
      proc = writer.keep();
    }
    writer.about(this.name, 'flags').detail('CLONE_NEWUSER').call('unshare').number(Flags.NEWUSER);
    if (uidMap !== undefined) {
      writer.about(this.name, 'uidMap');
      writeFile(writer, proc, 'uid_map', mapLine(uidMap, geteuid!()));
    }
    if (request.gidMapByParent) {
      writer.about(this.name, 'gidMap').wait();
      return;
    }
    if (gidMap !== undefined || setgroups === 'deny') {
      writer.about(this.name, 'setgroups');
      writeFile(writer, proc, 'setgroups', 'deny');
    }
    if (gidMap !== undefined) {
      writer.about(this.name, 'gidMap');
      writeFile(writer, proc, 'gid_map', mapLine(gidMap, getegid!()));
    }
  },

  serve(pid, { gidMap }) {
    const path = `/proc/${pid}/gid_map`;
    try {
      writeFileSync(path, mapLine(gidMap!, getegid!()));
    } catch (error) {
      const { errno, syscall } = error as NodeJS.ErrnoException;
      throw new SyscallError({ errno, step: this.name, option: 'gidMap', syscall, path, cause: error });
    }
  },

  hint(code, label) {
    if (label.option !== 'flags') return undefined;
    if (code === 'ENOSPC') {
      return 'this host allows no (more) user namespaces; see sysctl user.max_user_namespaces and the nesting limit of 32';
    }
    if (code === 'EPERM') {
      return (
        'this host forbids user namespaces: see sysctl kernel.unprivileged_userns_clone, ' +
        'kernel.apparmor_restrict_unprivileged_userns, the seccomp profile of the container that we are in; ' +
        'inside chroot(2) they are never allowed'
      );
    }
    return undefined;
  },
};
