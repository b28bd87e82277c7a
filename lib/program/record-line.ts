// One recording from its beginning to its end: the callback is run, and what it returns is what the child brings back.
import type { Recorder } from '../../types/record';
import { invalidArgValue } from '../errors/argument-error';
import { type Purpose, Recording, recorderOf } from './recorder';
import { type Bring, bringOf } from './results';

/** @throws ArgumentError, SyscallError E2BIG, and what the callback throws */
export function recordLine(
  callback: (recorder: Recorder) => unknown,
  purpose?: Purpose,
): { recording: Recording; bring: Bring } {
  const recording = new Recording(purpose);
  try {
    const returned = callback(recorderOf(recording));
    refusePromise(
      returned,
      purpose?.index === undefined ? 'callback argument' : `${purpose.option}[${purpose.index}].run`,
    );
    // A part of something else brings nothing back.
    const bring = bringOf(recording, purpose === undefined ? returned : undefined);
    recording.writer.finish();
    return { recording, bring };
  } finally {
    recording.close('the callback has returned, and what runs later is not part of the recording');
  }
}

function refusePromise(returned: unknown, option: string): void {
  const then = (returned as { then?: unknown } | null | undefined)?.then;
  if (typeof then !== 'function') return;
  // Its calls after the first await are refused: that rejection is told here and nowhere else.
  Promise.resolve(returned).catch(() => {});
  throw invalidArgValue(option, returned, 'must not be async: the line is recorded before it returns');
}
