// Step `pty`: a terminal of its own as stdin, stdout and stderr, and as the controlling terminal of its session; see pty(7).
import { boolean, integer, plainObject } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { channelSource, insideID, outsideID, type Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { CAP_CHOWN, TIOCSCTTY, TIOCSPGRP } = constants;

/** `struct winsize` has 16 bits for each. */
const largest = 0xffff;
const usual = { columns: 80, rows: 24 };

/** Whether our own id has no place in the new user namespace: nobody in it can give away what is ours. */
function isOwnerLeftOut(request: Request): boolean {
  // Of a joined user namespace only the kernel knows.
  if (request.pty === undefined || request.joinsUser) return false;
  const { programUids } = request;
  return programUids !== undefined && insideID(programUids, request.own.uid) === undefined;
}

/** The terminal was made by us; who has another id could not even open it by its path. */
export const ptyOwner: Step = {
  name: 'pty owner',
  options: [],
  onlyWhenGiven: 'pty',
  after: { stdio: 'it is descriptor 0' },

  settle(request) {
    if (!isOwnerLeftOut(request) || request.own.has(CAP_CHOWN)) return;
    request.note('the terminal stays ours: our id has no place in the user namespace, and we have no CAP_CHOWN');
  },

  emit(writer, request) {
    if (!isOwnerLeftOut(request) || !request.own.has(CAP_CHOWN)) return;
    const uid = outsideID(request.programUids, request.finalUid());
    if (uid !== undefined) writer.about('pty', 'pty').add(call.fchown, 0, uid, -1);
  },
};

export const pty: Step = {
  name: 'pty',
  options: ['pty'],
  onlyWhenGiven: true,
  after: { session: 'only the leader of a session can take a controlling terminal', inner: 'ids are those inside' },

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
    const above = request.stdio.slice(3);
    if (request.stdioGiven && !above.includes(channelSource))
      throw refusedOption('pty', 'takes the place of stdio 0 to 2, so stdio cannot be given');
    if (request.processGroup !== undefined) {
      throw refusedOption(
        'processGroup',
        'cannot go with pty: the leader of a session leads a process group of its own',
      );
    }
    request.stdio = [...[0, 1, 2].map(() => ({ kind: 'pty' }) as const), ...above];
  },

  emit(writer, request) {
    if (request.pty === undefined) return;
    writer.about(this.name, 'pty');
    const uid = request.uid ?? (request.joinsUser ? undefined : insideID(request.programUids, request.own.uid));
    // Of an id that has no place inside, the step that sets it will tell. Of a joined user namespace only the kernel knows.
    if (uid !== undefined && !isOwnerLeftOut(request)) {
      writer.add(call.fchown, 0, uid, -1).accept('EINVAL');
      if (request.joinsUser || request.inner?.join !== undefined) writer.accept('EPERM');
    }
    writer.add(call.ioctlNumber, 0, TIOCSCTTY);
  },
};

/** Beside a pid 1 of ours the program leads the foreground: what is typed must not reach it twice. */
export const foreground: Step = {
  name: 'foreground',
  options: [],
  onlyWhenGiven: 'pty',
  after: { init: 'it is the program that leads', pty: 'it is the foreground of that terminal' },

  emit(writer, request) {
    if (request.pty === undefined || !request.init) return;
    writer.about('pty', 'pty').add(call.getpid);
    const pid = writer.keep();
    const group = writer.reserve(8);
    writer.store(pid, group, 4);
    writer.add(call.setpgid, 0, 0);
    writer.add(call.ioctl, 0, TIOCSPGRP, group);
  },
};
