// A file of the kernel's, written in one go.
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';

const { AT_FDCWD, O_CLOEXEC, O_WRONLY } = constants;

/** Writes all of `text`; `folder` is AT_FDCWD, or the slot of a descriptor that `path` starts at. */
export function writeFile(writer: Writer, folder: Slot | typeof AT_FDCWD, path: string, text: string): void {
  writer.call('openat');
  if (folder === AT_FDCWD) writer.number(AT_FDCWD);
  else writer.result(folder);
  writer
    .text(path)
    .number(O_WRONLY | O_CLOEXEC)
    .number(0);
  const descriptor = writer.keep();
  const size = Buffer.byteLength(text);
  // Such files take their content in one write; a shorter one would be half a value.
  writer.call('write').result(descriptor).text(text).number(size).minimum(size);
  writer.call('close').result(descriptor);
}
