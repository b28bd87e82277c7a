// Steps of the option `foreground`: the inherited terminal is the child's, see "The controlling terminal" in termios(3), TIOCSPGRP and
// TIOCSCTTY in ioctl_tty(2).
import { boolean } from '../check';
import { refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { TIOCSCTTY } = constants;

/** We give it, who know whether it is ours: inside a pid namespace nobody sees who has it. */
function waitForIt(writer: Writer): void {
  writer.about('foreground', 'foreground').wait();
  writer.remark(() => 'which gives it the foreground of our terminal');
}

/** Right before the end of the set-up: until then Ctrl-C is for us. */
export const foreground: Step = {
  name: 'foreground',
  options: ['foreground'],
  onlyWhenGiven: true,
  gives: 'foreground',
  after: {
    session: 'it is its process group that has it',
    hold: 'a held child would keep it from everybody',
    'steps at exec': 'they may wait',
  },

  check(given, request) {
    request.foreground = boolean(given.foreground, 'foreground');
  },

  settle({ foreground: isAsked, processGroup, detached, pty, stdio, heldBy }) {
    if (!isAsked) return;
    if (pty !== undefined)
      throw refusedOption('foreground', 'cannot go with pty: the program has the foreground of that terminal');
    if (processGroup !== 0 && !detached)
      throw refusedOption('foreground', 'needs processGroup: 0, or detached: it is a group of its own that has it');
    if (heldBy !== undefined && !detached)
      throw refusedOption(
        'foreground',
        'cannot go with hold: { fd } unless detached: it is we who give it, whom the child may outlive',
      );
    if (!stdio.some(({ kind }) => kind === 'descriptor'))
      throw refusedOption(
        'foreground',
        "needs a terminal among stdio: an entry that is 'inherit', or a descriptor of ours",
      );
  },

  emit(writer, request) {
    if (request.foreground && !request.detached && !request.init) waitForIt(writer);
  },
};

/** Beside a pid 1 of ours it is that which leads the group; what is typed reaches the program by itself. */
export const foregroundOfPidOne: Step = {
  name: 'foreground of pid 1',
  options: [],
  onlyWhenGiven: 'foreground',
  after: {
    session: 'it is its process group that has it',
    'hold of pid 1': 'a held child would keep it from everybody',
  },

  emit(writer, request) {
    if (request.foreground && !request.detached && request.init) waitForIt(writer);
  },
};

/** The entries of stdio that may be a terminal. */
function inherited({ stdio }: Request): number[] {
  return stdio.flatMap(({ kind }, index) => (kind === 'descriptor' ? [index] : []));
}

/** A session of its own has the foreground of the terminal that controls it, and gives it up when its leader ends. */
export const controllingTerminal: Step = {
  name: 'controlling terminal',
  options: [],
  onlyWhenGiven: 'foreground',
  after: { session: 'only the leader of a session can take a controlling terminal' },

  emit(writer, request) {
    if (!request.foreground || !request.detached) return;
    writer.about(this.name, 'foreground');
    const jumps: number[] = [];
    const entries = inherited(request);
    entries.forEach((index, place) => {
      writer.add(call.ioctlNumber, index, TIOCSCTTY);
      if (place === entries.length - 1) return;
      writer.skip('ENOTTY', 1).jump(0);
      jumps.push(writer.count - 1);
    });
    for (const jump of jumps) writer.landHere(jump);
  },

  hint(code) {
    if (code === 'ENOTTY') return 'nothing that it inherits by stdio is a terminal';
    return code === 'EPERM'
      ? 'it controls another session, and can be taken from that only for good; to have the foreground of our terminal: processGroup: 0 in the place of detached'
      : undefined;
  },
};
