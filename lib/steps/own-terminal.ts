// Steps of a terminal that the child opens by itself: of a devpts of its own, or for somebody else to have our end of; see pts(4).
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { ChannelWord, Message } from '../program/format';
import { reserveMessage } from '../program/message';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { openRoot } from '../assembly/place';
import { outsideID } from '../assembly/ids';
import type { Request } from '../assembly/request';
import type { TerminalOption } from '../assembly/settings';
import { afterNewCredentials } from './new-credentials';
import type { Step } from '../assembly/step';
import { lowestFree } from '../assembly/words';

const {
  AF_UNIX,
  AT_EMPTY_PATH,
  AT_FDCWD,
  F_DUPFD_CLOEXEC,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  SO_DOMAIN,
  SO_TYPE,
  SOCK_STREAM,
  SOL_SOCKET,
  TIOCGPTPEER,
  TIOCSCTTY,
  TIOCSPTLCK,
  TIOCSWINSZ,
} = constants;

/** DEVPTS_SUPER_MAGIC of linux/magic.h, which `struct statfs` begins with. */
const devptsMagic = 0x1cd1;
const statfsSize = 120;
/** `struct open_how`: flags, mode, resolve. */
const openHowSize = 24;
const openHowResolve = 16;

const ptmx = '/dev/ptmx';
const folder = '/dev/pts';

/**
 * Who enters a user namespace keeps the ids that it has outside, which may have no place in there: a terminal that it opens would be
 * nobody's, and nobody inside could give it away.
 */
function openAsRoot(writer: Writer, request: Request): void {
  if (!request.joinsUser || request.creates(Flags.NEWUSER)) return;
  afterNewCredentials(writer.add(call.setfsgid, 0).add(call.setfsuid, 0), request);
}

/** Opens what no path that is a stranger's leads astray. */
function open(writer: Writer, from: Slot, path: string, flags: number, resolve: number): Slot {
  const how = writer.reserve(openHowSize);
  writer.setInt64(how, flags | O_CLOEXEC);
  writer.setInt64(how + openHowResolve, resolve);
  writer.add(call.openat2, from, writer.addText(path), how, openHowSize).retry();
  return writer.keep();
}

/** Whether what is open on the other side can take a descriptor: another kind of socket would drop it without a word. */
function refuseOtherSockets(writer: Writer, socket: Slot): void {
  for (const [option, value, errno] of [
    [SO_DOMAIN, AF_UNIX, 'EAFNOSUPPORT'],
    [SO_TYPE, SOCK_STREAM, 'EPROTOTYPE'],
  ] as const) {
    const found = writer.reserve(8);
    const size = writer.reserve(8);
    writer.setInt32(size, 4);
    writer.add(call.getsockopt, socket, SOL_SOCKET, option, found, size);
    const wanted = writer.reserve(8);
    writer.setInt32(wanted, value);
    writer.compare(found, wanted, 4, errno);
  }
}

/** Before stdio can have its number. */
export const terminalSocket: Step = {
  name: 'terminal socket',
  options: [],
  onlyWhenGiven: 'pty',
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  emit(writer, request) {
    const { sendTo } = request.pty ?? {};
    if (sendTo === undefined) return;
    writer.about(this.name, 'pty.sendTo').subject(`descriptor ${sendTo}`);
    writer.keepOpen(sendTo);
    writer.add(call.fcntl, sendTo, F_DUPFD_CLOEXEC, lowestFree(request));
    request.terminalSocket = writer.keep();
    refuseOtherSockets(writer, request.terminalSocket);
  },

  hint: (code) => socketHint[code],
};

const socketHint: Readonly<Record<string, string>> = {
  EAFNOSUPPORT: 'it is no Unix socket, and no other takes descriptors',
  ENOTSOCK: 'it is no socket',
  EPROTOTYPE: 'it is no stream socket, as a console socket is one',
};

/** Sends our end, and lets go of it. Never waits: nobody may be there who reads. */
function send(writer: Writer, master: Slot, socket: Slot): void {
  const name = writer.addText(ptmx);
  const length = writer.textSize;
  const { place: message, descriptors } = reserveMessage(writer, [{ place: name, length }], 1);
  writer.store(master, descriptors, 4);
  writer.add(call.sendmsgOf, socket, message, MSG_NOSIGNAL | MSG_DONTWAIT).minimum(length);
  writer.add(call.close, socket);
  writer.add(call.close, master);
}

/** Hands our end to us, who take it before anything else may happen. */
function handOver(writer: Writer, master: Slot): void {
  const word = { place: writer.addBytes(Uint8Array.of(Message.Terminal)), length: 1 };
  const { place: message, descriptors } = reserveMessage(writer, [word], 1);
  writer.store(master, descriptors, 4);
  writer.add(call.sendmsg, ChannelWord, message, MSG_NOSIGNAL);
  writer.add(call.close, master);
  writer.wait().remark(() => 'which takes our end of the terminal');
}

/** Whether nobody can open the program's end by its path. */
function lock(writer: Writer, master: Slot, locked: boolean): void {
  const word = writer.reserve(8);
  writer.setInt32(word, locked ? 1 : 0);
  writer.add(call.ioctlOf, master, TIOCSPTLCK, word);
}

/** The program's end, by descriptor: a path may lead to another terminal. */
function openPeer(writer: Writer, master: Slot, { columns, rows }: TerminalOption): Slot {
  lock(writer, master, false);
  const size = writer.addBytes(new Uint8Array(Uint16Array.of(rows, columns, 0, 0).buffer));
  writer.add(call.ioctlOf, master, TIOCSWINSZ, size);
  writer.add(call.ioctlNumberOf, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return writer.keep();
}

/**
 * Its file belongs to who opened it, who may have no place in the user namespace that is still to be entered, as `inner`: from in there
 * nobody could give it away.
 */
function giveToInner(writer: Writer, request: Request): void {
  const ranges = request.inner?.uidMap;
  const uid = ranges === undefined ? undefined : outsideID({ ranges }, request.userIds.ofProgram);
  // Of an id that has no place there, the step that sets it will tell.
  if (uid !== undefined) writer.add(call.fchown, 0, uid, -1).accept('EINVAL');
}

/** In the places of stdio. */
function place(writer: Writer, peer: Slot, { stderr }: TerminalOption): void {
  for (const index of stderr === 'pipe' ? [0, 1] : [0, 1, 2]) writer.add(call.dup3Of, peer, index, 0);
  writer.add(call.close, peer);
}

/** One of ours whose other end we shall not have. */
export const sentTerminal: Step = {
  name: 'sent terminal',
  options: [],
  onlyWhenGiven: 'pty',
  after: { stdio: 'it takes the place of /dev/null', 'terminal socket': 'it is sent there' },

  emit(writer, request) {
    const option = request.pty;
    if (option?.from !== 'host' || request.opensTerminal) return;
    writer.about(this.name, 'pty').subject(ptmx);
    writer.add(call.openat, AT_FDCWD, writer.addText(ptmx), O_RDWR | O_NOCTTY | O_CLOEXEC);
    const master = writer.keep();
    place(writer, openPeer(writer, master, option), option);
    writer.about(this.name, 'pty.sendTo').subject(`descriptor ${option.sendTo!}`);
    send(writer, master, request.terminalSocket!);
  },

  hint: (code, { option }) => (option === 'pty.sendTo' ? sendHint[code] : undefined),
};

const sendHint: Readonly<Record<string, string>> = {
  EAGAIN: 'it is full: who has the other end does not read',
  EIO: 'it is full: who has the other end does not read',
  EPIPE: 'nobody has its other end any more',
  ECONNRESET: 'nobody has its other end any more',
  ENOTCONN: 'it is not connected',
  ETOOMANYREFS: 'too many descriptors are on their way through sockets; see RLIMIT_NOFILE',
};

/** The consoles of `dev` mounts, which have a file for it. */
function mountConsoles(writer: Writer, request: Request, root: Slot, peer: Slot): void {
  const empty = writer.addText('');
  request.mounts.forEach(({ type, target }, index) => {
    if (type !== 'dev') return;
    writer.about('container terminal', 'mounts', index).subject('the terminal', `${target}/console`, 'mount');
    writer.add(call.open_treeOf, peer, empty, AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    const mount = writer.keep();
    const file = open(writer, root, `${target}/console`, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT);
    writer.add(call.move_mount, mount, empty, file, empty, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    writer.add(call.close, file);
    writer.add(call.close, mount);
  });
}

/**
 * One of the devpts that lies on /dev/pts of the final root, whoever has put it there. In such a file system nobody can make a file, so
 * what is called ptmx in it, and is no mount, is the one that opens terminals.
 */
export const containerTerminal: Step = {
  name: 'container terminal',
  options: [],
  onlyWhenGiven: 'pty',
  gives: 'terminal',
  after: {
    'terminal socket': 'it is sent there',
    'root switch': 'its paths are those of the program',
    'steps at root': 'they may have mounted it',
    stdio: 'it takes the place of /dev/null',
    user: 'it belongs to root inside',
    session: 'it controls that before anybody else may open it, whose session it would control',
  },

  emit(writer, request) {
    const option = request.pty;
    if (option?.from !== 'container') return;
    openAsRoot(writer.about(this.name, 'pty.from'), request);
    writer.subject(folder);
    const root = openRoot(writer);
    const opened = open(writer, root, folder, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
    const found = writer.reserve(statfsSize);
    writer.add(call.fstatfs, opened, found);
    const wanted = writer.reserve(8);
    writer.setInt64(wanted, devptsMagic);
    writer.compare(found, wanted, 8, 'ENODEV');
    writer.subject(`${folder}/ptmx`);
    const isOurs = option.sendTo === undefined;
    const flags = O_RDWR | O_NOCTTY | (isOurs ? O_NONBLOCK : 0);
    const master = open(writer, opened, 'ptmx', flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    writer.add(call.close, opened);
    const peer = openPeer(writer, master, option);
    lock(writer, master, true);
    mountConsoles(writer, request, root, peer);
    writer.about(this.name, 'pty.from').add(call.close, root);
    place(writer, peer, option);
    writer.add(call.ioctlNumber, 0, TIOCSCTTY);
    lock(writer, master, false);
    giveToInner(writer, request);
    writer.about(this.name, isOurs ? 'pty.from' : 'pty.sendTo');
    writer.subject(isOurs ? undefined : `descriptor ${option.sendTo}`);
    if (isOurs) handOver(writer, master);
    else send(writer, master, request.terminalSocket!);
  },

  hint(code, { option, path, dest }, _request, syscall) {
    if (option === 'pty.sendTo') return sendHint[code];
    if (code === 'EPERM' && syscall === 'ioctl') return 'somebody in there was faster to take it';
    if (code === 'EXDEV' && path === folder)
      return 'a link on the way to it leads out of the root, by way of a process';
    return dest === undefined ? containerHint[code] : undefined;
  },
};

const containerHint: Readonly<Record<string, string>> = {
  EACCES: 'this devpts is not for everybody: mount one of its own, or with ptmxmode=0666; and not nodev',
  ENODEV: 'it is no devpts',
  ENOENT: "there is none in this root: mount one, { type: 'devpts', target: '/dev/pts' }",
  ENOSPC: 'there are as many terminals as may be; see the mount option max, and the sysctl kernel.pty.max',
  ETOOMANYREFS: sendHint['ETOOMANYREFS']!,
  EXDEV: 'something else is mounted there',
};
