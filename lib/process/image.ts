// A written program as the addon takes it.
import type { ImageArguments } from '../native-interface';
import type { Writer } from '../program/writer';

/** The arrays of a program, each with how much of it is filled. */
export function imageOf(writer: Writer): ImageArguments {
  return [
    writer.words as unknown as Uint8Array,
    writer.count,
    writer.data,
    writer.dataSize,
    writer.relocations,
    writer.relocationCount,
    writer.kept,
    writer.keptCount,
  ];
}
