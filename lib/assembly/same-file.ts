// What a file is, asked of the kernel by the child: two that must be the same, a node that must be the one meant; see statx(2).
import { constants } from '../kernel/constants';
import type { Place as Address, Slot, Writer } from '../program/writer';
import * as call from './calls';

const { AT_EMPTY_PATH } = constants;

/** `struct statx`: stx_uid, stx_gid, stx_mode, stx_ino, stx_rdev_major with stx_rdev_minor, stx_dev_major with stx_dev_minor. */
const statxSize = 256;
const at = { uid: 20, gid: 24, mode: 28, ino: 32, rdev: 128, dev: 136 };
/** STATX_TYPE, STATX_MODE, STATX_UID, STATX_GID and STATX_INO of linux/stat.h; the numbers of devices are always told. */
const asked = 0x1 | 0x2 | 0x8 | 0x10 | 0x100;

function status(writer: Writer, file: Slot): Address {
  const found = writer.reserve(statxSize);
  writer.add(call.statxOf, file, writer.addText(''), AT_EMPTY_PATH, asked, found);
  return found;
}

/** Fails with this errno where two open files are not one. */
export function sameFile(writer: Writer, one: Slot, other: Slot, errno: string): void {
  const [found, wanted] = [status(writer, one), status(writer, other)];
  for (const field of [at.ino, at.dev]) writer.compare(found + field, wanted + field, 8, errno);
}

function sameNumbers(writer: Writer, found: Address, major: number, minor: number, errno: string): void {
  const wanted = writer.reserve(8);
  writer.setInt32(wanted, major);
  writer.setInt32(wanted + 4, minor);
  writer.compare(found + at.rdev, wanted, 8, errno);
}

/** Fails with this errno where an open file is no device of these numbers. */
export function sameDevice(writer: Writer, file: Slot, major: number, minor: number, errno: string): void {
  sameNumbers(writer, status(writer, file), major, minor, errno);
}

/** The same, where its type and permissions are others than `mode`, too. */
export function sameNode(writer: Writer, file: Slot, mode: number, major: number, minor: number, errno: string): void {
  const found = status(writer, file);
  const wanted = writer.reserve(8);
  writer.setInt32(wanted, mode);
  writer.compare(found + at.mode, wanted, 2, errno);
  sameNumbers(writer, found, major, minor, errno);
}

/** Gives a file the owner and the permissions of another one; these, where they are given. */
export function copyOwner(writer: Writer, from: Slot, to: Slot, mode: number | undefined): void {
  const found = status(writer, from);
  // Who has no place in our user namespace can own nothing in it.
  writer.add(call.fchownAs, to, found + at.uid, found + at.gid).accept('EINVAL');
  // The word has the type, too, which is none of its business.
  if (mode === undefined) writer.add(call.fchmodAs, to, found + at.mode);
  else writer.add(call.fchmodOf, to, mode);
}
