// Follows what v8 has serialized, before v8 itself reads it: a few bytes of a stranger's can ask it for more memory than there is, and v8
// ends the process then. The format is that of value-serializer.cc: tags, each with what stands behind it.

const versionTag = 0xff;
/** Of the versions that are read by these rules; it has no flags of views. */
const oldest = 13;

/** In bytes, what an object of some kinds counts for beside its own: two bytes of an error take v8 a microsecond and 150 bytes. */
const heavy = 32;

/**
 * What a byte of a RegExp, which v8 parses, and a property in it (\p) count for: with the flag u a class is made of all that Unicode has,
 * and with v of strings besides, which may take 20 ms and a megabyte.
 */
const ofRegExp = [
  { flag: 1 << 8, byte: 1024, property: 512 * 1024 },
  { flag: 1 << 4, byte: 1024, property: 64 * 1024 },
  { flag: 0, byte: 128, property: 0 },
];

/** A number as a key has no secret hash: a sender can choose them so that v8 compares each with all that are there. */
const comparedForOne = 32;

/** An array may have so many empty places more than its message has bytes. */
const mostEmpty = 4096;

/** Before what v8 leaves to the embedder: bytes in Node's own form, or an object in the place of what is no plain one. */
export const enum Host {
  View = 0,
  Other = 1,
}

const padding = 0;

function code(tag: string): number {
  return tag.charCodeAt(0);
}

/** What stands behind a tag. */
type Follow = (reader: SerializedBytes) => void;

const nothing: Follow = () => {};
const number: Follow = (reader) => reader.number();
const double: Follow = (reader) => reader.skip(8);
const counted: Follow = (reader) => reader.skip(reader.number());
/** The lowest bit is the sign. */
const bigint: Follow = (reader) => reader.skip(reader.number() >>> 1);

const strings: Readonly<Record<string, Follow>> = { '"': counted, S: counted, c: counted };

/** Values that have no others in them. */
const plain: Readonly<Record<string, Follow>> = {
  ...strings,
  _: nothing,
  '0': nothing,
  T: nothing,
  F: nothing,
  '-': nothing,
  y: nothing,
  x: nothing,
  I: number,
  U: number,
  '^': number,
  N: double,
  D: double,
  n: double,
  Z: bigint,
  z: bigint,
  B: counted,
  s: (reader) => reader.string(),
  R: (reader) => reader.regExp(),
};

/** Of an object, an array of each kind, a Map and a Set. */
const beginnings: Readonly<Record<string, Follow>> = {
  o: nothing,
  A: number,
  a: (reader) => reader.addEmpty(reader.number()),
  ';': nothing,
  "'": nothing,
};

const twoNumbers: Follow = (reader) => {
  reader.number();
  reader.number();
};
const ends: Readonly<Record<string, Follow>> = {
  '{': number,
  $: twoNumbers,
  '@': twoNumbers,
  ':': number,
  ',': number,
};

function table(follows: Readonly<Record<string, Follow>>): (Follow | undefined)[] {
  const all = Array.from<Follow | undefined>({ length: 256 });
  for (const [tag, follow] of Object.entries(follows)) all[code(tag)] = follow;
  return all;
}

const ofStrings = table(strings);
const ofPlain = table(plain);
const ofBeginnings = table(beginnings);
const ofEnds = table(ends);

/** Boxes of primitive values, RegExps, buffers and views of them, Maps, Sets, errors, and what is left to the embedder. */
const isHeavy = new Set(Array.from("yxnzsRBV;'r\\", code));

const isNumber = new Set(Array.from('IUNZ', code));

/** In an error: whose prototype it has. */
const prototypes = new Set(['E', 'R', 'F', 'S', 'T', 'U'].map(code));

/** A Map or Set that is being read. */
interface Keyed {
  readonly isMap: boolean;
  values: number;
  numbers: number;
}

class SerializedBytes {
  /** Places of arrays that nothing is said of. */
  #empty = 0;
  #heavy = 0;
  /** What all else counts for. */
  #more = 0;
  /** What is open: of objects and arrays nothing is to be known. */
  readonly #open: (Keyed | undefined)[] = [];
  readonly #bytes: Uint8Array;
  #at = 0;
  #hasFlags = false;
  #depth = 0;
  /** How deep the errors are whose causes are being read. */
  readonly #causes: number[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  follow(): void {
    if (this.#byte() !== versionTag) throw new RangeError('it has no version');
    const version = this.number();
    // They are read by other rules.
    if (version < oldest) throw new RangeError(`it has the version ${version}`);
    this.#hasFlags = version > oldest;
    while (this.#at < this.#bytes.length) this.#next(this.#byte());
  }

  get weight(): number {
    return this.#bytes.length + this.#empty + this.#heavy * heavy + this.#more;
  }

  #next(tag: number): void {
    if (isHeavy.has(tag)) this.#heavy++;
    const value = ofPlain[tag];
    if (value !== undefined) {
      if (isNumber.has(tag)) this.#numberAsKey();
      value(this);
      return this.#complete();
    }
    const begin = ofBeginnings[tag];
    if (begin !== undefined) {
      begin(this);
      this.#depth++;
      const isMap = tag === code(';');
      this.#open.push(isMap || tag === code("'") ? { isMap, values: 0, numbers: 0 } : undefined);
      return;
    }
    const end = ofEnds[tag];
    if (end !== undefined) {
      end(this);
      this.#depth--;
      const numbers = this.#open.pop()?.numbers ?? 0;
      this.#more += Math.floor(numbers ** 2 / comparedForOne);
      return this.#complete();
    }
    if (tag !== padding) this.#special(tag);
  }

  #special(tag: number): void {
    switch (tag) {
      case code('?'):
        return void this.number();
      case code('V'):
        return this.#view();
      case code('r'):
        return this.#error();
      case code('\\'):
        return this.#host();
      // A buffer that can grow takes two of the mappings that a process may have 65,530 of.
      case code('~'):
        throw new RangeError('a resizable ArrayBuffer cannot be sent');
      default:
        throw new RangeError(`the tag ${tag} is not known`);
    }
  }

  /** Of an ArrayBuffer that comes before it. */
  #view(): void {
    this.#byte();
    twoNumbers(this);
    if (this.#hasFlags) this.number();
  }

  #host(): void {
    const kind = this.number();
    if (kind > Host.Other) throw new RangeError(`no object of the host has the number ${kind}`);
    if (kind === Host.Other) return;
    this.number();
    counted(this);
    this.#complete();
  }

  /** What stands in an error, from its beginning or behind its cause: by tags of its own. */
  #error(): void {
    for (;;) {
      const tag = this.#byte();
      if (tag === code('.')) return this.#complete();
      if (tag === code('c')) return void this.#causes.push(this.#depth);
      if (tag === code('m') || tag === code('s')) this.string();
      else if (tag === code('V')) this.#view();
      else if (!prototypes.has(tag)) throw new RangeError(`the tag ${tag} of an error is not known`);
    }
  }

  #numberAsKey(): void {
    const keyed = this.#open.at(-1);
    if (keyed !== undefined && !(keyed.isMap && keyed.values % 2 === 1)) keyed.numbers++;
  }

  #complete(): void {
    const keyed = this.#open.at(-1);
    if (keyed !== undefined) keyed.values++;
    if (this.#causes.length === 0 || this.#causes.at(-1) !== this.#depth) return;
    this.#causes.pop();
    this.#error();
  }

  addEmpty(count: number): void {
    this.#empty += count;
    if (this.#empty > this.#bytes.length + mostEmpty)
      throw new RangeError(`an array has more than ${mostEmpty} empty places beside what was sent`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('it ends too early');
    return byte;
  }

  skip(size: number): void {
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError('it ends too early');
  }

  /** Of 7 bits in each byte, the lowest first. Of longer forms than it takes v8 itself reads one part or another. */
  number(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte > 127) continue;
      if (value > 0xffffffff || (byte === 0 && factor > 1)) break;
      return value;
    }
    throw new RangeError('a number is longer than it takes');
  }

  regExp(): void {
    const begin = this.#at;
    this.string();
    const source = this.#bytes.subarray(begin, this.#at);
    const flags = this.number();
    const { byte, property } = ofRegExp.find(({ flag }) => (flags & flag) === flag)!;
    this.#more += source.length * byte + (property === 0 ? 0 : propertiesIn(source) * property);
  }

  string(): void {
    let tag = this.#byte();
    while (tag === padding) tag = this.#byte();
    const follow = ofStrings[tag];
    if (follow === undefined) throw new RangeError('what should be a string is none');
    follow(this);
  }
}

/** How often there is a p or P behind a backslash, in one byte or two each. */
function propertiesIn(source: Uint8Array): number {
  const isBackslash = (at: number): boolean => source[at] === code('\\');
  return source.reduce((count, byte, at) => {
    const isP = byte === code('p') || byte === code('P');
    return isP && (isBackslash(at - 1) || (source[at - 1] === 0 && isBackslash(at - 2))) ? count + 1 : count;
  }, 0);
}

/** What a message counts for: its bytes, and what v8 makes of some of them. @throws RangeError for what v8 is not to read */
export function weightOf(bytes: Uint8Array): number {
  const all = new SerializedBytes(bytes);
  all.follow();
  return all.weight;
}
