// `hold: { fd }`: a child that outlives us, and is started by a byte that somebody writes. It lets go of Node, tells it so, and waits;
// what fails from then on goes to whoever reads `report`.
import { fileDescriptor, plainObject } from '../check';
import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { HoldDescriptors } from '../assembly/settings';
import { executing } from '../assembly/told-failures';
import type { Purpose } from '../assembly/until-exec';
import { aboveKept } from '../assembly/words';

const { F_DUPFD_CLOEXEC, POLLIN, PR_SET_PDEATHSIG } = constants;
const SIGPIPE = 13;
/** `struct sigaction` of the kernel: what to do, then flags, restorer and mask. */
const sigactionSize = 32;
const ignore = 1;

export function descriptorsOf(value: object): HoldDescriptors {
  const { fd, report } = plainObject(value, 'hold', ['fd', 'report']);
  if (fd === undefined) throw invalidArgType('hold.fd', 'of type number', fd);
  const descriptors = {
    fd: fileDescriptor(fd, 'hold.fd'),
    report: report === undefined ? undefined : fileDescriptor(report, 'hold.report'),
  };
  if (descriptors.report === descriptors.fd)
    throw invalidArgValue('hold.report', report, 'must be another one than fd: what is written there is read there');
  return descriptors;
}

/** Taken before stdio can have their numbers. The program does not get them. */
export function takeDescriptors(writer: Writer, request: Request): void {
  const take = (descriptor: number, name: keyof HoldDescriptors, purpose: Purpose): void => {
    writer.about('hold sources', `hold.${name}`).subject(`descriptor ${descriptor}`);
    writer.keepOpen(descriptor);
    // Out of the way of where they go when all else is closed.
    writer.add(call.fcntl, descriptor, F_DUPFD_CLOEXEC, aboveKept(request));
    request.untilExec.set(purpose, writer.keep());
  };
  const { fd, report } = request.heldBy!;
  take(fd, 'fd', 'start');
  if (report !== undefined) take(report, 'report', 'report');
}

/** The stop: nobody has been told of a child that still dies with Node, and none lives on that nobody was told of. */
export function holdForByte(writer: Writer, request: Request): void {
  const start = request.untilExec.get('start')!;
  lookForByte(writer.about('hold', 'hold.fd'), start);
  writer.about('hold', 'hold').add(call.prctl, PR_SET_PDEATHSIG, 0);
  writer.wait().remark(() => 'which may end as soon as it says so');
  const report = request.untilExec.get('report');
  if (report !== undefined) writer.tell(report);
  readByte(writer.about('hold', 'hold.fd'), start);
}

/** What the wait is made of, without waiting: where that is refused to us, nobody is told of a child that waits. */
function lookForByte(writer: Writer, start: Slot): void {
  const awaited = writer.reserve(8);
  writer.setInt32(awaited + 4, POLLIN);
  writer.store(start, awaited, 4);
  writer.add(call.ppoll, awaited, 1, writer.reserve(16), 0, 0);
}

function readByte(writer: Writer, start: Slot): void {
  // One and no more: of several children on one FIFO each takes its own. Who else has it may have made it non-blocking.
  writer.add(call.readOf, start, writer.reserve(8), 1).minimum(1).awaits();
  writer.add(call.close, start);
}

function onBrokenPipe(writer: Writer, action: number): void {
  const place = writer.reserve(sigactionSize);
  writer.setInt32(place, action);
  writer.add(call.rt_sigaction, SIGPIPE, place, 0, 8);
}

/** The last word before the filters, which may forbid it. */
export function sayExecuting(writer: Writer, request: Request): void {
  const report = request.untilExec.get('report');
  if (report === undefined) return;
  writer.about('start report', 'hold.report');
  const line = Buffer.from(executing(request.command));
  // Whoever has started it may have gone without waiting for that.
  onBrokenPipe(writer, ignore);
  writer.add(call.write, report, writer.addBytes(line), line.length).minimum(line.length).accept('EPIPE');
  writer.accept('ECONNRESET');
  onBrokenPipe(writer, 0);
}
