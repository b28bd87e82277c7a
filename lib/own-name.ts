// The name of our effective user. Not by node:os: that of Bun is what the variable USER says.
import { addon } from './addon';
import { readRegularFile } from './open-file';

/** The first field of the line of /etc/passwd that has this uid in the third. */
function nameInFile(uid: number): string | undefined {
  let text: string;
  try {
    text = readRegularFile('/etc/passwd');
  } catch {
    return undefined;
  }
  const entry = text.split('\n').find((line) => line.split(':')[2] === String(uid));
  return entry?.split(':')[0];
}

/** undefined for a user who has none. The C library is asked only for who is not in the file: it loads libraries for that. */
export function ownName(): string | undefined {
  const name = nameInFile(process.geteuid!()) ?? addon().userName();
  return name === '' ? undefined : name;
}
