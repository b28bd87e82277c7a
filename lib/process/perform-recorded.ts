// Runs a recorded line on the calling thread: where it may not go, and what it leaves.
import { addon } from '../addon';
import { invalidArgType } from '../errors/argument-error';
import { Mail } from '../native-interface';
import { MaxResults } from '../program/format';
import { fetch } from '../program/results';
import { Program } from '../record';
import { mailbox, openWatch } from '../watch';
import { refuseOnOwnThread } from './forbidden-calls';
import { imageOf } from './image';
import { readRecordedFailure, recordedFailure } from './start-recorded';

/** @throws ArgumentError, SyscallError */
export function performProgram(program: unknown): unknown {
  if (!(program instanceof Program)) throw invalidArgType('program argument', 'an instance of Program', program);
  const { recording, bring } = program as Program<unknown>;
  refuseOnOwnThread(recording.calls);
  recording.checkGivers();
  openWatch();
  const results = new Float64Array(MaxResults);
  const data = Buffer.alloc(recording.writer.dataSize);
  const done = addon().perform(...imageOf(recording.writer), results, data);
  if (done < 0) throw recordedFailure(program as Program<unknown>, -done, 0);
  if (mailbox[Mail.Error] !== 0) throw readRecordedFailure(program as Program<unknown>);
  return fetch(bring, {
    result: (slot) => results[slot]!,
    bytes: (place, size) => data.subarray(place, place + size),
  });
}
