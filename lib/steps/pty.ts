// Step `pty`: a terminal of its own as stdin, stdout and stderr, and as the controlling terminal of its session; see pty(7).
import { boolean, integer, plainObject } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import * as call from './calls';
import { insideID } from './request';
import type { Step } from './step';
import { sourceWord } from './words';

const { TIOCSCTTY, TIOCSPGRP } = constants;

/** `struct winsize` has 16 bits for each. */
const largest = 0xffff;
const usual = { columns: 80, rows: 24 };

export const pty: Step = {
  name: 'pty',
  options: ['pty'],
  onlyWhenGiven: true,
  after: { session: 'only the leader of a session can take a controlling terminal' },

  check(given, request) {
    if (typeof given.pty === 'boolean') {
      request.pty = boolean(given.pty, 'pty') ? usual : undefined;
      return;
    }
    if (typeof given.pty !== 'object' || given.pty === null)
      throw invalidArgType('pty', 'of type boolean or a plain object', given.pty);
    const { columns, rows } = plainObject(given.pty, 'pty', ['columns', 'rows']);
    request.pty = {
      columns: integer(columns ?? usual.columns, 'pty.columns', 1, largest),
      rows: integer(rows ?? usual.rows, 'pty.rows', 1, largest),
    };
  },

  settle(request) {
    if (request.pty === undefined) return;
    if (request.stdioGiven) throw refusedOption('pty', 'takes the place of stdio 0 to 2, so stdio cannot be given');
    if (request.processGroup !== undefined) {
      throw refusedOption(
        'processGroup',
        'cannot go with pty: the leader of a session leads a process group of its own',
      );
    }
    request.stdio = [0, 1, 2].map(() => ({ kind: 'pty' }) as const);
  },

  emit(writer, request) {
    if (request.pty === undefined) return;
    writer.about(this.name, 'pty');
    // The terminal was made by us; who has another id inside could not even open it by its path.
    const uid = request.uid ?? insideID(request.uidMap, request.own.uid);
    if (uid !== undefined) {
      writer.add(call.fchown, sourceWord(0), uid, -1).accept('EPERM').accept('EINVAL');
    }
    writer.add(call.ioctlAt, sourceWord(0), TIOCSCTTY);
  },
};

/** Beside a pid 1 of ours the program leads the foreground: what is typed must not reach it twice. */
export const foreground: Step = {
  name: 'foreground',
  options: [],
  after: { init: 'it is the program that leads', pty: 'it is the foreground of that terminal' },

  emit(writer, request) {
    if (request.pty === undefined || !request.init) return;
    writer.about('pty', 'pty').add(call.getpid);
    const pid = writer.keep();
    const group = writer.reserve(8);
    writer.store(pid, group, 4);
    writer.add(call.setpgid, 0, 0);
    writer.add(call.ioctlAtData, sourceWord(0), TIOCSPGRP, group);
  },
};
