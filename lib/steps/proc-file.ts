// A file of /proc that set-up writes, by the descriptor of a /proc that was looked at before: what is mounted there in somebody
// else's mount namespace can be anything.
import { constants } from '../kernel/constants';
import { ProcWord } from '../program/format';
import type { Place, Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';

const { O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV } =
  constants;

/** `struct open_how`: flags, mode, resolve. */
const openHowSize = 24;
const openHowResolve = 16;

function open(writer: Writer, path: string, flags: number, resolve: number): Slot {
  const how: Place = writer.reserve(openHowSize);
  writer.setInt64(how, flags | O_CLOEXEC);
  writer.setInt64(how + openHowResolve, resolve);
  writer.add(call.openat2At, ProcWord, writer.addText(path), how, openHowSize).retry();
  return writer.keep();
}

/** Opens a file below /proc ('self/uid_map', 'sys/net/…') for writing, and nothing that is mounted over it. */
export function openProcFile(writer: Writer, path: string): Slot {
  // `self` is a link, and none that a stranger could have made.
  return open(writer, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

/** Opens a folder below /proc, to open what is in it. */
export function openProcFolder(writer: Writer, path: string): Slot {
  return open(writer, path, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

/** Opens a namespace of the process itself, which is behind a magic link. */
export function openOwnNamespace(writer: Writer, kind: string): Slot {
  return open(writer, `self/ns/${kind}`, O_RDONLY, 0);
}

/** Writes all of `text`, and closes. */
export function fillProcFile(writer: Writer, descriptor: Slot, text: string): void {
  // Such files take their content in one write; a shorter one would be half a value.
  writer.add(call.write, descriptor, writer.addText(text), writer.textSize).minimum(writer.textSize);
  writer.add(call.close, descriptor);
}

export function writeProcFile(writer: Writer, path: string, text: string): void {
  fillProcFile(writer, openProcFile(writer, path), text);
}
