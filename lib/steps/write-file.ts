// A file of the kernel's, written in one go.
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import * as call from './calls';

const { AT_FDCWD, O_CLOEXEC, O_WRONLY } = constants;

/** Writes all of `text`; `folder` is AT_FDCWD, or the slot of a descriptor that `path` starts at. */
export function writeFile(writer: Writer, folder: Slot | typeof AT_FDCWD, path: string, text: string): void {
  const openat = folder === AT_FDCWD ? call.openat : call.openatOf;
  writer.add(openat, folder, writer.addText(path), O_WRONLY | O_CLOEXEC);
  const descriptor = writer.keep();
  // Such files take their content in one write; a shorter one would be half a value.
  writer.add(call.write, descriptor, writer.addText(text), writer.textSize).minimum(writer.textSize);
  writer.add(call.close, descriptor);
}
