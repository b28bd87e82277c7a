// Our own environment, as `process.env` has it at the call: what that is, only JavaScript can tell. In a Worker it is an object
// of its own, anybody may have put another one into its place, and where Workers share it, only Node's own lock makes reading it
// safe.

/** A copy, `NAME=value` each. */
export function ownVariables(): string[] {
  const variables: string[] = [];
  const { env } = process;
  // A third of the time that Object.entries() takes.
  for (const name of Reflect.ownKeys(env)) {
    const value = typeof name === 'string' ? env[name] : undefined;
    if (value !== undefined) variables.push(`${name as string}=${value}`);
  }
  return variables;
}

/** It, as it was when it was first asked for. */
export class OwnVariables {
  readonly values = ownVariables();

  /** Whether it is still the same. */
  holds(): boolean {
    const now = ownVariables();
    return now.length === this.values.length && now.every((variable, index) => variable === this.values[index]);
  }
}
