// The names of signals.

/** 1 to 30: there are 31 real-time signals, SIGRTMIN and SIGRTMAX among them. */
type Distance =
  | (1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10)
  | (11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20)
  | (21 | 22 | 23 | 24 | 25 | 26 | 27 | 28 | 29 | 30);

/** A real-time signal, counted from the first or from the last, see signal(7). Node has no names for these. */
export type RealTimeSignal = 'SIGRTMIN' | `SIGRTMIN+${Distance}` | 'SIGRTMAX' | `SIGRTMAX-${Distance}`;

/**
 * The name of a signal. One that is only known at run time is given as `name as SignalName`: what is no signal is refused with
 * `ERR_UNKNOWN_SIGNAL`.
 */
export type SignalName = NodeJS.Signals | RealTimeSignal;

/** A signal: 'SIGTERM', 'SIGRTMIN+1', or its number, 1 to 64. */
export type Signal = SignalName | number;
