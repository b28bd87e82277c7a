// Text from outside made safe to print: one line, no control characters.

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** From a string: V8 reads a literal where it reads the file, for which these classes take half a millisecond. */
const unprintable = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]`;
let made: RegExp | undefined;

/** `text` with control, bidirectional and line-breaking characters written as JavaScript escapes. */
export function printable(text: string): string {
  made ??= new RegExp(unprintable, 'gu');
  return text.replace(made, (character) => short[character] ?? escape(character.codePointAt(0) ?? 0));
}

function escape(code: number): string {
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\u{${digits}}`;
}
