// Puts a line that was recorded on its own into a program, as often as that is written.
import { Field, Kind, Op, Reserved } from './format';
import type { Writer } from './writer';

/** Writes all instructions of `line` into `writer`, with their data and their results in places of their own. */
export function splice(writer: Writer, line: Writer): void {
  const moved = writer.reserve(line.dataSize - Reserved) - Reserved;
  writer.data.set(line.data.subarray(Reserved, line.dataSize), moved + Reserved);
  for (let index = 0; index < line.relocationCount; index++) {
    const place = line.relocations[index]!;
    writer.point(place + moved, line.data.readInt32LE(place) + moved);
  }
  const slots = writer.slots;
  for (let index = 0; index < line.slots; index++) writer.takeSlot();
  for (let instruction = 0; instruction < line.count; instruction++) {
    const at = writer.copy(line, instruction);
    move(writer.words, at, moved, slots);
  }
}

/** Makes places and slots of an instruction those that they have now. */
function move(words: Int32Array, at: number, moved: number, slots: number): void {
  const head = words[at + Field.Head]!;
  const keep = words[at + Field.Call]! >>> 16;
  if (keep !== 0) words[at + Field.Call]! += slots << 16;
  for (let index = (head >> 8) & 0xff; index-- > 0;) {
    const kind = (words[at + Field.Kinds + (index >> 2)]! >> ((index & 3) * 8)) & 0xff;
    // Of a store, the number after the value is a place.
    const isPlace = kind === Kind.Data || kind === Kind.Word || ((head & 0xff) === Op.Store && index === 1);
    if (isPlace) words[at + Field.Arguments + index * 2]! += moved;
    else if (kind === Kind.Result) words[at + Field.Arguments + index * 2]! += slots;
  }
}
