// Our own environment, as an array of strings of a program.
import { addon } from './addon';
import type { Place, Writer } from './program/writer';

/** Where the strings lie, and behind the last one where they end. Grows to what is needed. */
let places = new Uint32Array(512);

/** Copies it into the data of a program. Reading `process.env` would cost half a microsecond a variable. */
export function ownEnvironment(writer: Writer): Place {
  // In a Worker process.env is an object of its own.
  if (addon().isMainThread() === 0)
    return writer.addPointers(ownVariables().map((variable) => writer.addText(variable)));
  let count = addon().environment(writer.data, writer.dataSize, places);
  while (count < 0) {
    places = new Uint32Array(places.length * 2);
    writer.makeRoom(writer.data.length);
    count = addon().environment(writer.data, writer.dataSize, places);
  }
  writer.dataSize = places[count]!;
  const array = writer.reservePointers(count);
  for (let i = 0; i < count; i++) writer.point(array + i * 8, places[i]!);
  return array;
}

/** A copy of it, `NAME=value` each. */
export function ownVariables(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
}
