// Signal names and numbers, the real-time signals among them.
import { constants } from 'node:os';

// As libc has them: the kernel's start at 32, two of which libc keeps for its threads.
const realTimeFirst = 34;
const realTimeLast = 64;

const numbers: Readonly<Record<string, number>> = constants.signals;

let names: Map<number, string> | undefined;

/** The names of all standard signals, SIGRTMIN and SIGRTMAX: what a misspelt name may have meant. */
export function signalNames(): string[] {
  return [...Object.keys(numbers), 'SIGRTMIN', 'SIGRTMAX'];
}

/**
 * The number of a signal (1–64), see signal(7).
 * @param signal a name in any case ('SIGTERM', 'SIGRTMIN+2', 'SIGRTMAX-1') or a number
 * @returns `undefined` where there is no such signal
 */
export function signalNumber(signal: string | number): number | undefined {
  if (typeof signal === 'number') {
    return Number.isInteger(signal) && signal >= 1 && signal <= realTimeLast ? signal : undefined;
  }
  const name = signal.toUpperCase();
  return Object.hasOwn(numbers, name) ? numbers[name] : realTimeNumber(name);
}

function realTimeNumber(name: string): number | undefined {
  const match = /^SIGRT(?:MIN(?:\+(\d{1,2}))?|MAX(?:-(\d{1,2}))?)$/.exec(name);
  if (match === null) return undefined;
  const number = name.startsWith('SIGRTMIN')
    ? realTimeFirst + Number(match[1] ?? 0)
    : realTimeLast - Number(match[2] ?? 0);
  return number >= realTimeFirst && number <= realTimeLast ? number : undefined;
}

/** The name of a signal number: 'SIGTERM', 'SIGRTMIN', 'SIGRTMIN+1' … 'SIGRTMAX'; 'SIG32' where it has none. */
export function signalName(signal: number): string {
  if (signal === realTimeFirst) return 'SIGRTMIN';
  if (signal === realTimeLast) return 'SIGRTMAX';
  if (signal > realTimeFirst && signal < realTimeLast) return `SIGRTMIN+${signal - realTimeFirst}`;
  // The first name of a number is the common one: SIGABRT before SIGIOT, SIGIO before SIGPOLL.
  names ??= new Map(
    Object.entries(numbers)
      .map(([name, number]): [number, string] => [number, name])
      .reverse(),
  );
  return names.get(signal) ?? `SIG${signal}`;
}
