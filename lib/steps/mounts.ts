// Step `mounts`: what is mounted, in the given order.
import { array, boolean, oneOf, plainObject, string } from '../check';
import { invalidArgValue } from '../errors/argument-error';
import { Flags } from '../flags';
import { whyNoFreshProc } from '../host/mount-table';
import { isInFirstUserNamespace } from '../host/ourselves';
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import type { Mount } from '../../types/mounts';
import * as call from '../assembly/calls';
import { needs } from '../assembly/needs';
import type { Step } from '../assembly/step';

const {
  AT_FDCWD,
  FSCONFIG_CMD_CREATE,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_IN_ROOT,
} = constants;

/** `struct open_how`: flags, mode, resolve. */
const openHowSize = 24;
const openHowResolve = 16;

const booleans = ['create', 'readonly', 'nosuid', 'nodev', 'noexec', 'noatime'] as const;
const types = ['proc'] as const;
const fields = ['type', 'target', ...booleans] as const;

function checkMount(value: unknown, option: string): Mount {
  // The type first: which fields there are depends on it.
  const type = oneOf(plainObject<'type'>(value, option).type, `${option}.type`, types);
  const given = plainObject(value, option, fields);
  const target = string(given.target, `${option}.target`, { nonEmpty: true });
  if (!target.startsWith('/')) throw invalidArgValue(`${option}.target`, target, 'must be an absolute path');
  const mount: Mount = { type, target, nosuid: true, nodev: true, noexec: true };
  for (const name of booleans) {
    if (given[name] !== undefined) mount[name] = boolean(given[name], `${option}.${name}`);
  }
  return mount;
}

function attributes(mount: Mount): number {
  return (
    (mount.readonly === true ? MOUNT_ATTR_RDONLY : 0) |
    (mount.nosuid === true ? MOUNT_ATTR_NOSUID : 0) |
    (mount.nodev === true ? MOUNT_ATTR_NODEV : 0) |
    (mount.noexec === true ? MOUNT_ATTR_NOEXEC : 0) |
    (mount.noatime === true ? MOUNT_ATTR_NOATIME : 0)
  );
}

function makeTarget(writer: Writer, target: string): void {
  let end = 0;
  while (end >= 0) {
    end = target.indexOf('/', end + 1);
    const folder = end < 0 ? target : target.slice(0, end);
    if (folder !== '' && !folder.endsWith('/'))
      writer.add(call.mkdirat, AT_FDCWD, writer.addText(folder), 0o755).accept('EEXIST');
  }
}

/** `/`, as the process sees it now: what RESOLVE_IN_ROOT keeps a path below. */
function openRoot(writer: Writer): Slot {
  writer.add(call.openat, AT_FDCWD, writer.addText('/'), O_PATH | O_DIRECTORY | O_CLOEXEC);
  return writer.keep();
}

/** Opens the target without following a link out of the root, whatever a hostile file system holds. */
function openTarget(writer: Writer, root: Slot, target: string): Slot {
  const how = writer.reserve(openHowSize);
  writer.setInt64(how, O_PATH | O_DIRECTORY | O_CLOEXEC);
  writer.setInt64(how + openHowResolve, RESOLVE_IN_ROOT);
  // openat2(2): EAGAIN where a rename in between leaves it unsure that the path stays inside.
  writer.add(call.openat2, root, writer.addText(target), how, openHowSize).retry();
  return writer.keep();
}

/** A new file system of this type, ready to be moved to its place. */
function newFileSystem(writer: Writer, mount: Mount): Slot {
  writer.add(call.fsopen, writer.addText(mount.type), FSOPEN_CLOEXEC);
  const context = writer.keep();
  writer.add(call.fsconfig, context, FSCONFIG_CMD_CREATE);
  writer.add(call.fsmount, context, FSMOUNT_CLOEXEC, attributes(mount));
  const made = writer.keep();
  writer.add(call.close, context);
  return made;
}

export const mounts: Step = {
  name: 'mounts',
  options: ['mounts'],
  onlyWhenGiven: true,
  after: { propagation: 'a mount made while mounts are shared would appear on the host' },

  check(given, request) {
    request.mounts = array(given.mounts, 'mounts').map((mount, index) => checkMount(mount, `mounts[${index}]`));
  },

  settle(request) {
    if (request.mounts.length > 0) needs(request, 'mounts', Flags.NEWNS, 'without it the host would get the mounts');
  },

  emit(writer, request) {
    if (request.mounts.length === 0) return;
    const root = openRoot(writer.about(this.name, 'mounts'));
    for (let index = 0; index < request.mounts.length; index++) {
      const mount = request.mounts[index]!;
      writer.about(this.name, 'mounts', index).subject(mount.type, mount.target, 'mount');
      if (mount.create === true) makeTarget(writer, mount.target);
      const made = newFileSystem(writer, mount);
      const target = openTarget(writer, root, mount.target);
      writer.add(
        call.move_mount,
        made,
        writer.addText(''),
        target,
        writer.addText(''),
        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
      );
      writer.add(call.close, made);
      writer.add(call.close, target);
    }
    writer.about(this.name, 'mounts').add(call.close, root);
  },

  hint(code, label, request) {
    if (label.path === 'proc' && code === 'EPERM') {
      const inNewUser = request.creates(Flags.NEWUSER);
      if (inNewUser && !request.creates(Flags.NEWPID) && !request.joinsAny(Flags.NEWPID))
        return 'a fresh proc needs an own pid namespace; add Flags.NEWPID';
      const cover = inNewUser || !isInFirstUserNamespace() ? whyNoFreshProc() : undefined;
      return cover === undefined ? undefined : `a fresh proc needs a fully visible /proc outside, and ${cover}`;
    }
    if (code === 'ENOENT') return 'the target is missing; create: true makes it';
    return undefined;
  },
};
