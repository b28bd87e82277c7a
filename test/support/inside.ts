// A look from inside a child.
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { clone, type CloneOptions, Flags } from '../../lib';

/** All that comes out of a stream, as text. */
export function read(stream: Readable | null): Promise<string> {
  return text(stream!);
}

/** Runs a shell script in a child and returns what it printed. @throws where it failed */
export async function inside(script: string, options: CloneOptions = {}): Promise<string> {
  const child = await clone('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const [output, problems, { code, signal }] = await Promise.all([
    read(child.stdout),
    child.stderr === null ? '' : read(child.stderr),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`the script ended with ${code ?? signal}: ${output}${problems}`);
  return output.trimEnd();
}

/** New namespaces that root and an ordinary user may make alike: with an own user namespace, where we are root. */
export function owned(flags: number): CloneOptions {
  return { flags: flags | Flags.NEWUSER, uidMap: 'root', gidMap: 'root' };
}

/** Without the tunnels that lead nowhere, which a kernel that has their modules puts into each network namespace. */
export function ownInterfaces(names: string): string[] {
  const fallbacks = /^(?:sit0|tunl0|ip6tnl0|gre0|gretap0|erspan0|ip6gre0|ip_vti0|ip6_vti0)$/;
  return names.split(/\s+/).filter((name) => name !== '' && !fallbacks.test(name));
}
