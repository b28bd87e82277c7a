// Writes the data of a program: bytes, strings, structs, arrays of addresses. The buffer is used again for the next one.
import { Reserved } from './format';

/** A place in the data, as its offset. */
export type Place = number;

const two32 = 2 ** 32;
/** A native call fills no faster up to here. */
const fewBytes = 64;

export class DataWriter {
  data = Buffer.alloc(16 * 1024);
  dataSize = Reserved;
  /** Words of the data that become addresses. */
  relocations = new Uint32Array(512);
  relocationCount = 0;
  /** Bytes of the string that was added last, without its NUL. */
  textSize = 0;

  #words = new Int32Array(this.data.buffer, this.data.byteOffset, this.data.length >> 2);

  protected resetData(): void {
    this.#words[0] = this.#words[1] = 0;
    this.dataSize = Reserved;
    this.relocationCount = 0;
  }

  /** Room for this many bytes, at a multiple of 8, all of them 0. */
  reserve(size: number): Place {
    const from = this.dataSize;
    const place = (from + 7) & ~7;
    const end = place + size;
    this.#need(end);
    // What the program before left there goes, in the gap that alignment leaves too.
    const { data } = this;
    for (let at = from; at < place; at++) data[at] = 0;
    if (size > fewBytes) {
      data.fill(0, place, end);
    } else {
      const words = this.#words;
      const last = (end + 3) >> 2;
      for (let at = place >> 2; at < last; at++) words[at] = 0;
    }
    this.dataSize = end;
    return place;
  }

  /** The string with the NUL byte that the kernel ends it at. */
  addText(text: string): Place {
    const place = this.dataSize;
    // At most three bytes of UTF-8 for each unit of UTF-16.
    this.#need(place + text.length * 3 + 1);
    const { data } = this;
    let at = place;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) {
        at = place + data.write(text, place, 'utf8');
        break;
      }
      data[at++] = unit;
    }
    data[at] = 0;
    this.dataSize = at + 1;
    this.textSize = at - place;
    return place;
  }

  addBytes(bytes: Uint8Array): Place {
    const place = this.reserve(bytes.length);
    this.data.set(bytes, place);
    return place;
  }

  /** Room for `count` addresses and the null that ends them; {@link point} fills it. */
  reservePointers(count: number): Place {
    return this.reserve((count + 1) * 8);
  }

  /** An array of addresses, ended by a null. */
  addPointers(targets: readonly Place[]): Place {
    const array = this.reservePointers(targets.length);
    for (let i = 0; i < targets.length; i++) this.point(array + i * 8, targets[i]!);
    return array;
  }

  /** An array of the addresses of strings that lie in memory already, ended by a null. */
  addStrings({ bytes, offsets }: { readonly bytes: Uint8Array; readonly offsets: readonly number[] }): Place {
    const first = this.addBytes(bytes);
    const array = this.reservePointers(offsets.length);
    for (let i = 0; i < offsets.length; i++) this.point(array + i * 8, first + offsets[i]!);
    return array;
  }

  /** Makes the word at `place` the address of `target`. */
  point(place: Place, target: Place): void {
    if (this.relocationCount === this.relocations.length) {
      const larger = new Uint32Array(this.relocations.length * 2);
      larger.set(this.relocations);
      this.relocations = larger;
    }
    this.relocations[this.relocationCount++] = place;
    this.#words[place >> 2] = target;
    this.#words[(place >> 2) + 1] = 0;
  }

  setInt32(place: Place, value: number): void {
    this.#words[place >> 2] = value;
  }

  setInt64(place: Place, value: number): void {
    this.#words[place >> 2] = value | 0;
    this.#words[(place >> 2) + 1] = Math.floor(value / two32);
  }

  #need(size: number): void {
    if (size + 16 <= this.data.length) return;
    const larger = Buffer.alloc(Math.max(this.data.length * 2, (size + 4096) & ~7));
    this.data.copy(larger, 0, 0, this.dataSize);
    this.data = larger;
    this.#words = new Int32Array(larger.buffer, larger.byteOffset, larger.length >> 2);
  }
}
