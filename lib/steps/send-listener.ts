// How the listener of a filter gets to who answers its notifications: with the state of the process as the OCI runtime specification has
// it ("containerprocessstate"), over a socket that is connected already.
import { constants } from '../kernel/constants';
import type { Place, Slot, Writer } from '../program/writer';

import * as call from '../assembly/calls';
import { type Piece, type ReservedMessage, reserveMessage } from '../program/message';
import type { Request } from '../assembly/request';
import type { Listener } from '../assembly/settings';
import { knocks } from './seccomp-door';

const { MSG_NOSIGNAL } = constants;
/** The version of the specification that the message is of. */
const ociVersion = '1.1.0';
/** Bytes of the largest pid, and more. */
const pidSize = 16;
const wordSize = 4;

/** All that is done before the first filter is there. */
export interface Prepared {
  readonly message: ReservedMessage;
  /** The fewest bytes that it has. */
  readonly length: number;
  /** Where the words are that open a door; undefined where all let us through. */
  readonly knock: Place | undefined;
}

/** The JSON, in the pieces that stand around the pid. */
function stateAround({ metadata }: Listener): string[] {
  const said = metadata === undefined ? '' : `"metadata":${JSON.stringify(metadata)},`;
  return [
    `{"ociVersion":"${ociVersion}","fds":["seccompFd"],"pid":`,
    `,${said}"state":{"ociVersion":"${ociVersion}","id":"nsclone-`,
    `","status":"creating","pid":`,
    `,"bundle":""}}`,
  ];
}

/** Writes what the message is made of: our pid as Node sees it, which a line of calls cannot spell. */
export function prepareListener(writer: Writer, request: Request, listener: Listener, closed: boolean): Prepared {
  const self = request.untilExec.get('self')!;
  const pid = writer.reserve(pidSize);
  const texts = stateAround(listener);
  const pieces: Piece[] = texts.flatMap((text, index) => {
    const piece = { place: writer.addText(text), length: writer.textSize };
    return index === 0 ? [piece] : [{ place: pid, length: 0 }, piece];
  });
  const message = reserveMessage(writer, pieces, 1);
  writer.about('seccomp', listener.option).subject('/proc/self');
  writer.add(call.readlinkat, self, writer.addText(''), pid, pidSize).minimum(1);
  const length = writer.keep();
  pieces.forEach((piece, index) => {
    if (piece.place === pid) writer.store(length, message.lengths[index]!, 8);
  });
  writer.add(call.close, self);
  const smallest = pieces.reduce((sum, piece) => sum + piece.length, texts.length - 1);
  if (!closed) return { message, length: smallest, knock: undefined };
  const knock = writer.reserve(knocks * wordSize);
  writer
    .subject(undefined)
    .add(call.getrandom, knock, knocks * wordSize, 0)
    .minimum(knocks * wordSize);
  return { message, length: smallest, knock };
}

/** Writes the sending, right behind the call that makes the listener. */
export function sendListener(
  writer: Writer,
  request: Request,
  { option, path }: Listener,
  { message, length, knock }: Prepared,
): void {
  const socket = request.untilExec.get('listener')!;
  const made = writer.keep();
  writer.store(made, message.descriptors, 4);
  writer.about('seccomp', option).subject(path);
  const close = (slot: Slot): void => {
    if (knock === undefined) writer.add(call.close, slot);
    else writer.add(call.closeKnocking, slot, 0, 0, ...wordsAt(knock));
  };
  if (knock === undefined) writer.add(call.sendmsgOf, socket, message.place, MSG_NOSIGNAL);
  else writer.add(call.sendmsgKnocking, socket, message.place, MSG_NOSIGNAL, ...wordsAt(knock));
  const result = writer.minimum(length).skipAny(3).keep();
  // Not left to the exec: who supervises may wait for the end of the connection first.
  close(made);
  close(socket);
  if (knock === undefined) writer.jump(2);
  else writer.add(call.closeNumberKnocking, -1, 0, 0, ...wordsAt(knock)).skip('EBADF', 2);
  // Nobody has it but us: what the filter notifies of, our exit for one, would wait for ourselves to answer.
  close(made);
  writer.verb('sendmsg').failWith(result);
}

function wordsAt(knock: Place): [number, number, number] {
  return [knock, knock + wordSize, knock + 2 * wordSize];
}
