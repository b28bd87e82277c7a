// Steps `pipe owner`: pipes of ours belong to the ids that the program has, so that it can open /dev/stdout; see proc(5), /proc/PID/fd.
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { insideID, outsideID } from '../assembly/ids';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';

const { CAP_CHOWN } = constants;

/** Who is to own them, and from where they can be given away. Ids are those of the namespace that this is done in. */
type Owner = { readonly from: 'outside' | 'inside'; readonly uid: number; readonly gid: number } | 'same' | 'unknown';

function ownerOf(request: Request): Owner {
  // What its root is outside, only the kernel knows.
  if (request.joinsUser || request.inner?.join !== undefined) return 'unknown';
  if (request.uid === undefined && !request.creates(Flags.NEWUSER)) return 'same';
  const { own } = request;
  const { ofProgram: uid, map: uids } = request.userIds;
  const { ofProgram: gid, map: gids } = request.groupIds;
  const mayGive = own.has(CAP_CHOWN);
  if (!request.creates(Flags.NEWUSER)) {
    if (uid === own.uid) return 'same';
    return mayGive ? { from: 'outside', uid, gid } : 'unknown';
  }
  const before = insideID(uids, own.uid);
  if (uids === undefined || before === uid) return 'same';
  const outside = outsideID(uids, uid);
  if (mayGive && outside !== undefined) return { from: 'outside', uid: outside, gid: outsideID(gids, gid) ?? -1 };
  // Inside it takes a place for both ids of who owns them now.
  if (before === undefined || insideID(gids, own.gid) === undefined) return 'unknown';
  return { from: 'inside', uid, gid };
}

function forEachPipe(request: Request, visit: (index: number) => void): void {
  request.stdio.forEach((source, index) => {
    if (source.kind === 'pipe' && !source.socket) visit(index);
  });
}

function give(writer: Writer, request: Request, { uid, gid }: { uid: number; gid: number }): void {
  forEachPipe(request, (index) => {
    // Of an id that has no place inside, the step that sets it will tell.
    writer.about('pipe owner', 'stdio', index).add(call.fchown, index, uid, gid).accept('EINVAL');
  });
}

/** While we have our own rights. */
export const pipeOwnerOutside: Step = {
  name: 'pipe owner outside',
  options: [],
  after: { stdio: 'the pipes are in their places' },

  emit(writer, request) {
    const owner = ownerOf(request);
    if (owner === 'same') return;
    if (owner === 'unknown') {
      // Nobody reaches a pipe but through a process that has it, and who may look into that one has it already.
      forEachPipe(request, (index) => writer.about('pipe owner', 'stdio', index).add(call.fchmod, index, 0o666));
    } else if (owner.from === 'outside') give(writer, request, owner);
  },
};

export const pipeOwner: Step = {
  name: 'pipe owner',
  options: [],
  after: {
    user: 'its ids are those inside',
    owner: 'it takes the rights of root inside',
    inner: 'its ids are those inside',
  },

  emit(writer, request) {
    const owner = ownerOf(request);
    if (typeof owner === 'object' && owner.from === 'inside') give(writer, request, owner);
  },
};
