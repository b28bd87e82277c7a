// What the world looks like to a process: a shell prints files of /proc, and what they say becomes rows.
import type { ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** Needs nothing but a shell, cat and readlink. Each part begins with a line `== name`. */
export const look = `
for file in status net/dev net/fib_trie; do echo "== $file"; cat /proc/$$/$file; done
echo '== hostname'; cat /proc/sys/kernel/hostname
for kind in user pid mnt uts ipc net cgroup; do echo "== $kind"; readlink /proc/$$/ns/$kind; done
echo '== processes'; cat /proc/[0-9]*/comm 2>/dev/null
exit 0
`;

/** So many processes are named; more are only counted. */
const named = 3;

/** Reads what {@link look} printed: a name and a value for each row. */
export async function readWorld(shell: ChildProcess): Promise<Map<string, string>> {
  const parts = new Map<string, string>();
  for (const part of (await text(shell.stdout!)).split(/^== /m).slice(1)) {
    const end = part.indexOf('\n');
    parts.set(part.slice(0, end), part.slice(end + 1).trimEnd());
  }
  const of = (name: string): string => parts.get(name) ?? '';
  const status = (field: string): string[] =>
    new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(of('status'))?.[1]?.split(/\s+/) ?? [];
  const rows = new Map([
    // Of real, effective, saved and file system id the effective one.
    ['user id', status('Uid')[1] ?? '?'],
    ['group id', status('Gid')[1] ?? '?'],
    ['capabilities', String(bitsIn(status('CapEff')[0] ?? '0'))],
    ['process id', status('Pid')[0] ?? '?'],
    ['hostname', of('hostname')],
    ['interfaces', listed(of('net/dev'), /^\s*(\S+):/gm)],
    ['addresses', listed(of('net/fib_trie'), /\|-- (\S+)\n\s+\/32 host LOCAL/g)],
    ['processes', counted(of('processes').split('\n'))],
  ]);
  for (const kind of ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup']) {
    rows.set(`${kind} namespace`, /\d+/.exec(of(kind))?.[0] ?? '?');
  }
  return rows;
}

function bitsIn(hexadecimal: string): number {
  return BigInt(`0x${hexadecimal}`).toString(2).replaceAll('0', '').length;
}

/** What the pattern finds, each once. */
function listed(where: string, pattern: RegExp): string {
  const found = new Set(Array.from(where.matchAll(pattern), (match) => match[1]!));
  return [...found].join(', ') || 'none';
}

function counted(names: string[]): string {
  return names.length > named ? String(names.length) : `${names.length} (${names.join(', ')})`;
}
