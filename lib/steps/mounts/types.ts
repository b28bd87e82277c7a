// Every type of mount, by its name.
import { bind } from './bind';
import { mask, readonly, remount } from './covers';
import { dev } from './dev';
import { device } from './device';
import { cgroup2, devpts, filesystem, mqueue, proc, sysfs } from './file-systems';
import { chmod, dir, file, symlink } from './files';
import type { MountType } from '../../assembly/mount-type';
import { overlay } from './overlay';
import { tmpfs } from './tmpfs';

export const types: Readonly<Record<string, MountType>> = {
  bind,
  proc,
  sysfs,
  tmpfs,
  devpts,
  mqueue,
  cgroup2,
  overlay,
  dev,
  device,
  filesystem,
  mask,
  readonly,
  remount,
  file,
  symlink,
  dir,
  chmod,
};

/** Those that may be the root. */
export const rootTypes = Object.keys(types).filter((name) => types[name]!.isRoot === true);
