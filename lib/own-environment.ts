// Our own environment, as `process.env` has it at the call: what that is, only JavaScript can tell. In a Worker it is an object
// of its own, anybody may have put another one into its place, and where Workers share it, only Node's own lock makes reading it
// safe.

/** Strings as they lie in memory, each with its NUL. */
export interface Block {
  readonly bytes: Buffer;
  /** Where each begins. */
  readonly offsets: readonly number[];
}

/** What it was at a call. */
export class OwnVariables {
  /** `NAME=value` each. */
  readonly values: readonly string[];
  #block: Block | undefined;

  constructor(values: readonly string[]) {
    this.values = values;
  }

  /** Whether it is still the same. */
  holds(): boolean {
    return ownVariables() === this;
  }

  get block(): Block {
    return (this.#block ??= blockOf(this.values));
  }
}

function blockOf(values: readonly string[]): Block {
  const offsets: number[] = [];
  let at = 0;
  for (const value of values) {
    offsets.push(at);
    at += Buffer.byteLength(value) + 1;
  }
  return { bytes: Buffer.from(`${values.join('\0')}\0`), offsets };
}

let names: readonly string[] = [];
const texts: (string | undefined)[] = [];
let last = new OwnVariables([]);

/**
 * Our environment. It is read whole each time, as nothing tells of a change, but where it is that of the time before nothing is
 * made of it: that halves what it costs.
 */
export function ownVariables(): OwnVariables {
  const { env } = process;
  const now = Object.getOwnPropertyNames(env);
  let isSame = now.length === names.length;
  for (let index = 0; index < now.length; index++) {
    const name = now[index]!;
    const text = env[name];
    if (text === texts[index] && name === names[index]) continue;
    isSame = false;
    texts[index] = text;
  }
  names = now;
  if (isSame) return last;
  texts.length = now.length;
  const values: string[] = [];
  // Where another object has taken its place, a value may be none.
  for (const [index, text] of texts.entries()) if (text !== undefined) values.push(`${now[index]!}=${text}`);
  last = new OwnVariables(values);
  return last;
}
