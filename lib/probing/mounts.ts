// What is asked of the kernel: mounts. They are made in a mount namespace of the child's own, so nobody sees one, and none is left.
import type { Refusal } from '../../types/probe';
import * as call from '../assembly/calls';
import { isKernelBefore } from '../host/kernel-release';
import { whyNoMoreNamespaces } from '../host/namespace-limits';
import { whoRefuses } from '../host/ourselves';
import { whyNoFreshProc } from '../host/mount-table';
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import type { Question } from './line';

const {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_IDMAP,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_IN_ROOT,
} = constants;

/** `struct mount_attr`: its size, and where `userns_fd` is. */
const mountAttr = { size: 32, userns: 24 };
/** `struct open_how`: its size, and where `resolve` is. */
const openHow = { size: 24, resolve: 16 };

/** As fsconfig(2) takes them: one without a value is a flag. */
type Option = readonly [name: string, value?: string];

function newFileSystem(writer: Writer, type: string, options: readonly Option[] = []): Slot {
  const context = writer.add(call.fsopen, writer.addText(type), FSOPEN_CLOEXEC).keep();
  for (const [name, value] of options) {
    const text = writer.addText(name);
    if (value === undefined) writer.add(call.fsconfigFlag, context, FSCONFIG_SET_FLAG, text);
    else writer.add(call.fsconfigText, context, FSCONFIG_SET_STRING, text, writer.addText(value));
  }
  writer.add(call.fsconfig, context, FSCONFIG_CMD_CREATE);
  return writer.add(call.fsmount, context, FSMOUNT_CLOEXEC, 0).keep();
}

function setAttributes(writer: Writer, mount: Slot, set: number, userNamespace = 0): void {
  const attributes = writer.reserve(mountAttr.size);
  writer.setInt64(attributes, set);
  writer.setInt64(attributes + mountAttr.userns, userNamespace);
  writer.add(call.mount_setattrOf, mount, writer.addText(''), AT_EMPTY_PATH, attributes, mountAttr.size);
}

/** Every mount is put into its place by this call. On itself there is none, which is seen when all have been asked who refuse it. */
function attachNowhere(writer: Writer, mount: Slot): void {
  const [empty, flags] = [writer.addText(''), MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH];
  writer.add(call.move_mount, mount, empty, mount, empty, flags).accept('EINVAL').accept('ELOOP');
}

function whyNoSuch(type: string, code: string): Refusal | undefined {
  return code === 'ENODEV' ? { cause: 'kernel', detail: `this kernel has no file system '${type}'` } : undefined;
}

export const proc: Question = {
  name: 'proc',
  needs: ['pid', 'mnt'],
  flags: 0,
  emit(writer) {
    writer.about('proc').subject('proc', undefined, 'mount');
    attachNowhere(writer, newFileSystem(writer, 'proc'));
  },
  hint: (code) => (code === 'EPERM' ? whyNoFreshProc() : undefined),
};

export const mountCalls: Question = {
  name: 'mountCalls',
  needs: ['mnt'],
  flags: 0,
  emit(writer) {
    writer.about('mountCalls');
    const memory = newFileSystem(writer, 'tmpfs');
    setAttributes(writer, memory, MOUNT_ATTR_RDONLY);
    const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    writer.add(call.open_tree, AT_FDCWD, writer.addText('/'), flags);
    const how = writer.reserve(openHow.size);
    writer.setInt64(how, O_PATH | O_DIRECTORY | O_CLOEXEC);
    writer.setInt64(how + openHow.resolve, RESOLVE_IN_ROOT);
    writer.call('openat2').number(AT_FDCWD).place(writer.addText('/')).place(how).number(openHow.size).retry();
    attachNowhere(writer, memory);
  },
};

/** Of an overlay, in the working directory. */
const layers = { lowerdir: 'lower', upperdir: 'upper', workdir: 'work' };
const marks = 'userxattr';

function mountSomewhere(writer: Writer, memory: Slot): void {
  writer.add(call.move_mountTo, memory, writer.addText(''), AT_FDCWD, writer.addText('/'), MOVE_MOUNT_F_EMPTY_PATH);
  writer.add(call.fchdir, memory);
  const options = [...Object.entries(layers).map((layer) => layer.join('=')), marks].join(',');
  const type = writer.addText('overlay');
  writer.add(call.mount, type, writer.addText(layers.lowerdir), type, 0, writer.addText(options));
  writer.add(call.umount2, writer.addText('.'), MNT_DETACH);
}

export const overlay: Question = {
  name: 'overlay',
  needs: ['user', 'mnt'],
  flags: 0,
  emit(writer) {
    writer.about('overlay').subject('overlay', undefined, 'mount');
    const memory = newFileSystem(writer, 'tmpfs');
    for (const name of Object.values(layers)) writer.add(call.mkdiratOf, memory, writer.addText(name), 0o755);
    // Older kernels take only layers that are mounted somewhere, and clone() asks them in another way.
    if (isKernelBefore('6.15')) mountSomewhere(writer, memory);
    else {
      writer.add(call.fchdir, memory);
      const { lowerdir, ...others } = layers;
      const mount = newFileSystem(writer, 'overlay', [['lowerdir+', lowerdir], ...Object.entries(others), [marks]]);
      attachNowhere(writer, mount);
    }
  },
  hint: (code) => whyNoSuch('overlay', code),
};

/** Of calls that who has made the user namespaces may make in them. */
export function whyNotNested(code: string, syscall = ''): Refusal | undefined {
  if (code === 'ENOSPC') return whyNoMoreNamespaces('CLONE_NEWNS');
  return code === 'EPERM' || code === 'ENOSYS' ? whoRefuses(code, syscall) : undefined;
}

/** @param userNamespace a descriptor of ours, of one below that in which this is asked */
export function idmapped(userNamespace: number): Question {
  return {
    name: 'idmappedMounts',
    needs: [],
    flags: 0,
    emit(writer) {
      writer.about('idmappedMounts').subject('tmpfs', undefined, 'mount');
      setAttributes(writer, newFileSystem(writer, 'tmpfs'), MOUNT_ATTR_IDMAP, userNamespace);
    },
    hint(code, syscall) {
      // Of tmpfs since Linux 6.3.
      if (code === 'EINVAL') {
        return {
          cause: 'kernel',
          detail: 'the tmpfs of this kernel cannot be mounted with other owners',
          hint: 'it needs Linux 6.3',
        };
      }
      return syscall === 'mount_setattr' ? undefined : whyNotNested(code, syscall);
    },
  };
}
