// Step `pty`: a terminal of its own as stdin, stdout and stderr, and as the controlling terminal of its session; see pty(7).
import { boolean, fileDescriptor, integer, oneOf, plainObject } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { insideID, outsideID } from '../assembly/ids';
import type { Request } from '../assembly/request';
import { channelSource, type StdioSource } from '../assembly/stdio-source';
import type { Step } from '../assembly/step';

const { CAP_CHOWN, TIOCSCTTY, TIOCSPGRP } = constants;

/** `struct winsize` has 16 bits for each. */
const largest = 0xffff;
const usual = { columns: 80, rows: 24, from: 'host', sendTo: undefined, stderr: undefined } as const;

/** Whether our own id has no place in the new user namespace: nobody in it can give away what is ours. */
function isOwnerLeftOut(request: Request): boolean {
  // Of a joined user namespace only the kernel knows.
  if (request.pty?.from !== 'host' || request.joinsUser) return false;
  const { map } = request.userIds;
  return map !== undefined && insideID(map, request.own.uid) === undefined;
}

/** The terminal was made by us; who has another id could not even open it by its path. */
export const ptyOwner: Step = {
  name: 'pty owner',
  options: [],
  onlyWhenGiven: 'pty',
  after: { stdio: 'it is descriptor 0', 'sent terminal': 'it is descriptor 0' },

  settle(request) {
    if (!isOwnerLeftOut(request) || request.own.has(CAP_CHOWN)) return;
    request.note('the terminal stays ours: our id has no place in the user namespace, and we have no CAP_CHOWN');
  },

  emit(writer, request) {
    if (!isOwnerLeftOut(request) || !request.own.has(CAP_CHOWN)) return;
    const uid = outsideID(request.userIds.map, request.userIds.ofProgram);
    if (uid !== undefined) writer.about('pty', 'pty').add(call.fchown, 0, uid, -1);
  },
};

/** Types of mounts that may bring one. */
const withDevpts: readonly string[] = ['bind', 'dev', 'devpts', 'filesystem'];

function needsDevpts(request: Request): void {
  if (request.root !== undefined || request.joinsAny(Flags.NEWNS)) return;
  if (request.mounts.some(({ type }) => withDevpts.includes(type))) return;
  throw refusedOption(
    'pty.from',
    "cannot be 'container' without root, a mount of type 'dev' or 'devpts', or a mount namespace in join: " +
      'there is no devpts but ours',
  );
}

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
    const { columns, rows, from, sendTo, stderr } = plainObject(given.pty, 'pty', [
      'columns',
      'rows',
      'from',
      'sendTo',
      'stderr',
    ]);
    request.pty = {
      columns: integer(columns ?? usual.columns, 'pty.columns', 1, largest),
      rows: integer(rows ?? usual.rows, 'pty.rows', 1, largest),
      from: from === undefined ? 'host' : oneOf(from, 'pty.from', ['host', 'container']),
      sendTo: sendTo === undefined ? undefined : fileDescriptor(sendTo, 'pty.sendTo'),
      stderr: stderr === undefined ? undefined : oneOf(stderr, 'pty.stderr', ['pipe']),
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
    const { stderr } = request.pty;
    // Until it has opened the terminal by itself, what it has is no file of ours.
    const source: StdioSource = { kind: request.opensTerminal ? 'pty' : 'null' };
    request.stdio = [source, source, stderr === 'pipe' ? { kind: 'pipe', socket: false } : source, ...above];
    if (request.pty.from === 'container') needsDevpts(request);
  },

  emit(writer, request) {
    if (request.pty === undefined) return;
    writer.about(this.name, 'pty');
    const own = request.joinsUser ? undefined : insideID(request.userIds.map, request.own.uid);
    const uid = request.pty.from === 'container' ? request.userIds.ofProgram : (request.uid ?? own);
    // It has been given by who opened it, where that was above.
    const isGiven = request.pty.from === 'container' && request.inner?.uidMap !== undefined;
    // Of an id that has no place inside, the step that sets it will tell. Of a joined user namespace only the kernel knows.
    if (uid !== undefined && !isGiven && !isOwnerLeftOut(request)) {
      writer.add(call.fchown, 0, uid, -1).accept('EINVAL');
      if (request.joinsUser || request.inner?.join !== undefined) writer.accept('EPERM');
    }
    // One of the container's does already.
    if (request.pty.from !== 'container') writer.add(call.ioctlNumber, 0, TIOCSCTTY);
  },
};

/** Beside a pid 1 of ours the program leads the foreground: what is typed must not reach it twice. */
export const ptyForeground: Step = {
  name: 'pty foreground',
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
