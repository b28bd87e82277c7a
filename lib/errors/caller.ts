// Whose call an error is of: its stack is that of the caller, without a frame of the library.
//
// While the call is on the stack, V8 leaves frames out up to a function (Error.captureStackTrace()). What fails later, fails
// on a stack of the event loop's. There V8 knows who awaits the call, at no cost; who does not await it has to be noted in the
// call. That takes 8 microseconds, for which the event loop is held, so it is done where it may be of use: in the first calls
// of a process, which take longer for being the first, and after a failure whose caller nobody knew.

/** Errors of ours that do not say yet whose call they are of. What the caller's own code throws is never touched. */
const unplaced = new WeakSet<Error>();

/** Says that an error was made here. */
export function isOurs(error: Error): void {
  unplaced.add(error);
}

/** A function of the API. */
type Call = (...args: never[]) => unknown;

/** The stack of a call, written down when it is read. */
export interface Note {
  readonly stack?: unknown;
}

/** So many calls are noted. */
const some = 8;
let left = some;

/** Notes who has called `call`, which is on the stack; undefined where it is not worth it. */
export function noteCaller(call: Call): Note | undefined {
  if (left === 0) return undefined;
  left--;
  const note: Note = {};
  Error.captureStackTrace(note, call);
  return note;
}

/** The first note then finds its functions compiled. */
export function rehearseNote(): void {
  noteCaller(rehearseNote);
  left = some;
}

const beginning = '\n    at ';

/** 'Error: message', and the frames below. */
function split(stack: string): [header: string, frames: string[]] {
  const [header, ...frames] = stack.split(beginning);
  return [header!, frames];
}

/** 'app.js:7', whoever is called there. */
function lineOf(frame: string): string {
  return frame.replace(/^.* \(|^async /, '').replace(/(:\d+)?\)?$/, '');
}

/**
 * The error, with the stack of the call that it is of.
 * @param call what was called: it is on the stack, or goes on after an `await`
 */
export function ofCall(error: unknown, call: Call, note?: Note): unknown {
  if (!(error instanceof Error) || !unplaced.delete(error)) return error;
  const { stack: before } = error as { stack?: unknown };
  Error.captureStackTrace(error, call);
  const { stack: after } = error as { stack?: unknown };
  const noted = note?.stack ?? '';
  // Somebody's Error.prepareStackTrace() may make anything of it.
  if (typeof before !== 'string' || typeof after !== 'string' || typeof noted !== 'string') return error;
  const [header] = split(before);
  const [, frames] = split(noted);
  const lines = new Set(frames.map(lineOf));
  for (const frame of split(after)[1]) if (!lines.has(lineOf(frame))) frames.push(frame);
  if (frames.length === 0) left = some;
  error.stack = [header, ...frames].join(beginning);
  return error;
}

/** What `body` returns; an error of ours that it throws is of this call. */
export function asCall<T>(call: Call, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw ofCall(error, call);
  }
}

/** Where a function that is on the stack was called: 'app.js:7:3'; undefined where nobody can tell. */
export function lineThatCalled(called: Call | undefined): string | undefined {
  const note: Note = {};
  if (called !== undefined) Error.captureStackTrace(note, called);
  const { stack } = note;
  const [, [frame] = []] = typeof stack === 'string' ? split(stack) : [];
  return frame?.replace(/^.* \(|\)$/g, '');
}
