// The name of our effective user. Not by node:os: that of Bun is what the variable USER says.
import { addon } from './addon';

/** undefined for a user without an entry in /etc/passwd. */
export function ownName(): string | undefined {
  const name = addon().userName();
  return name === '' ? undefined : name;
}
