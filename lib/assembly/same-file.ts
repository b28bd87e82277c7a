// What a file is, asked of the kernel by the child: two that must be the same, a node that must be the one meant; see statx(2).
import { constants } from '../kernel/constants';
import type { Place as Address, Slot, Writer } from '../program/writer';
import * as call from './calls';

const { AT_EMPTY_PATH } = constants;

/** `struct statx`: stx_mode, stx_ino, stx_rdev_major with stx_rdev_minor, stx_dev_major with stx_dev_minor. */
const statxSize = 256;
const at = { mode: 28, ino: 32, rdev: 128, dev: 136 };
/** STATX_TYPE, STATX_MODE and STATX_INO of linux/stat.h; the numbers of devices are always told. */
const asked = 0x1 | 0x2 | 0x100;

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
