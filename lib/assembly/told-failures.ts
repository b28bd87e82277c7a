// What fails of a child that outlives us, as lines of JSON that it writes to a descriptor: whoever starts it has no program to look
// the number of an instruction up in.
import { ErrnoFrom, ErrnoTo } from '../program/format';
import { callAt } from '../program/call-at';
import type { Label, Place, Writer } from '../program/writer';

const newline = '\n';
const roomForErrno = ' '.repeat(ErrnoTo - ErrnoFrom);

/** What stands before the exec: it has come to its filters and to that. */
export function executing(command: string): string {
  return JSON.stringify({ executing: command }) + newline;
}

/** The loop puts the errno in. */
function lineOf({ step, option, path }: Label, call: ReturnType<typeof callAt>): string {
  const rest = JSON.stringify({ step, option, syscall: call.syscall, path: path ?? call.path });
  return `{"errno":${roomForErrno},${rest.slice(1)}${newline}`;
}

/** Writes them behind the program, which has labels. */
export function tellFailures(writer: Writer): void {
  const first = writer.teller;
  if (first === undefined) return;
  const { labels, count } = writer;
  const places = new Map<string, Place>();
  const lines = new Int32Array(count);
  for (let instruction = first + 1; instruction < count; instruction++) {
    const line = lineOf(labels![instruction]!, callAt(writer, instruction));
    let place = places.get(line);
    if (place === undefined) places.set(line, (place = writer.addText(line)));
    lines[instruction] = place;
  }
  writer.tellAs(writer.addBytes(new Uint8Array(lines.buffer)), count);
}
