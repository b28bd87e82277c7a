// What is in the foreground of a terminal: there Ctrl-C and Ctrl-Z arrive.
import { readdirSync, readFileSync } from 'node:fs';

interface Stat {
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** The foreground process group of its terminal. */
  readonly foreground: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    const [state, parent, group, , , foreground] = text.slice(end + 2).split(' ');
    return {
      name: text.slice(text.indexOf('(') + 1, end),
      state: state!,
      parent: Number(parent),
      group: Number(group),
      foreground: Number(foreground),
    };
  } catch {
    return undefined;
  }
}

function isBelow(pid: number, ancestor: number): boolean {
  for (let current = pid; current > 1; current = statOf(current)?.parent ?? 0) {
    if (current === ancestor) return true;
  }
  return false;
}

/**
 * Whether a program of this name, below that process, has the terminal and waits for something. So does its shell then: it has said
 * SIGCONT to who was put there, which would undo a Ctrl-Z.
 */
export function isInForeground(name: string, ancestor: number): boolean {
  return readdirSync('/proc').some((entry) => {
    const stat = statOf(Number(entry));
    return (
      stat?.name === name &&
      stat.state === 'S' &&
      stat.group === stat.foreground &&
      statOf(stat.parent)?.state === 'S' &&
      isBelow(Number(entry), ancestor)
    );
  });
}
