// What is asked of the kernel and of the host: ids in a new user namespace.
import { start } from '../clone';
import { SyscallError } from '../errors/syscall-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import { Namespace } from '../namespace';
import { procError, whyNotOurs } from '../proc';
import type { Writer } from '../program/writer';
import type { IdMap } from '../assembly/ids';
import { Request } from '../assembly/request';
import { run } from '../run';
import * as call from '../assembly/calls';
import { gidMapOf, uidMapOf } from '../steps/id-maps';
import { whyNoHelpers } from '../steps/id-map-writers';
import { fillProcFile, openProcFile } from '../steps/proc-file';
import { subordinateRanges } from '../steps/subordinate-ids';
import { user } from '../steps/user';
import type { ClonedProcess } from '../../types/child';
import type { IdMapping } from '../../types/options';
import type { Answer } from '../../types/probe';
import { answerOf } from './answer';
import { type Answers, ask, longest, type Question } from './line';
import { idmapped } from './mounts';
import { userNamespace } from './namespaces';

const { CAP_SETGID, CAP_SETUID, NS_GET_PARENT } = constants;

/** A request whose new user namespaces have our own ids as 0, by maps that the child itself may write. */
export function withOwnIds(): Request {
  const request = new Request();
  request.setgroups = 'deny';
  request.uidMap = uidMapOf('root', request);
  request.gidMap = gidMapOf('root', request);
  return request;
}

function countOf(ranges: readonly { readonly count: number }[]): number {
  return ranges.reduce((sum, { count }) => sum + count, 0);
}

/** Looks into the two files. */
export function subordinateIds(): Answer {
  try {
    const [uids, gids] = (['/etc/subuid', '/etc/subgid'] as const).map((file) =>
      countOf(subordinateRanges(file, 'uidMap')),
    );
    const lent = `${uids} user and ${gids} group ids`;
    return { available: true, detail: lent };
  } catch (error) {
    const failure = error as SyscallError;
    return answerOf(failure, { cause: 'subids', detail: `${failure.path} has no ids for our user` });
  }
}

const manyIds: Question = {
  name: 'idMapHelpers',
  needs: [],
  flags: Flags.NEWUSER,
  emit: (writer, request) => user.emit!(writer, request),
  hint: (code) => (code === 'EPERM' || code === 'ENOENT' ? { cause: 'helper' } : undefined),
};

/** As clone() has it done, but by children of our own, which do not hold the event loop for the pages of this process. */
async function help(pid: number, { uidMap, gidMap }: Request): Promise<void> {
  // Under another pid namespace's /proc the number is somebody else's.
  const refused = whyNotOurs();
  if (refused !== 0) throw procError(refused, { step: 'user', syscall: 'openat', path: '/proc' });
  const write = async (helper: string, map: IdMap): Promise<void> => {
    const ranges = map.ranges.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]);
    const args = [pid, ...ranges].map(String);
    const helping = (await start(helper, args, { stdio: 'ignore', timeout: longest })) as ClonedProcess;
    const { code } = await helping.exited;
    if (code === 0) return;
    // What it says is asked for where it has failed alone: to load what collects output takes as long as all else that is asked.
    const again = code === null ? undefined : await run(helper, args, { timeout: longest });
    if (again?.code === 0) return;
    const said = again === undefined ? '' : again.stderr.trim();
    const hint = { cause: 'helper', detail: said === '' ? `${helper} has failed` : said } as const;
    throw new SyscallError({ code: 'EPERM', step: 'user', syscall: 'execve', path: helper, hint });
  };
  await Promise.all([write('newuidmap', uidMap!), write('newgidmap', gidMap!)]);
}

/** The own id, and one more of ours: for who needs no helper, and may have been lent none. */
function twoIds(own: number): IdMapping[] {
  return [
    { containerID: 0, hostID: own, size: 1 },
    { containerID: 1, hostID: own === 1 ? 2 : 1, size: 1 },
  ];
}

/** Has a map of more ids written, as `uidMap: 'auto'` has it. */
export async function idMapHelpers(areLent: boolean): Promise<Answer> {
  const request = new Request();
  const { own } = request;
  const isHelped = !own.has(CAP_SETUID) || !own.has(CAP_SETGID);
  const refusal = isHelped ? await whyNoHelpers() : undefined;
  if (refusal !== undefined) return { available: false, ...refusal };
  // They write nothing but what is lent, so there is nothing that they could be asked for.
  if (isHelped && !areLent) return { available: true };
  try {
    request.uidMap = uidMapOf(areLent ? 'auto' : twoIds(own.uid), request);
    request.gidMap = gidMapOf(areLent ? 'auto' : twoIds(own.gid), request);
  } catch (error) {
    return answerOf(error as SyscallError);
  }
  const serve = isHelped ? (pid: number) => help(pid, request) : user.serve!.bind(user);
  const answers = await ask([manyIds], { request, serve });
  return answers.get(manyIds.name)!;
}

function mapSelf(writer: Writer): void {
  for (const kind of ['uid', 'gid']) fillProcFile(writer, openProcFile(writer, `self/${kind}_map`), '0 0 1\n');
}

/** One below the other, in which the child waits. */
const nested: Question = {
  name: 'idmappedMounts',
  needs: ['user'],
  flags: 0,
  emit(writer) {
    writer.about('user', 'flags').detail('CLONE_NEWUSER').add(call.unshare, Flags.NEWUSER);
    mapSelf(writer.about('idmappedMounts'));
    writer.wait();
  },
};

/** Into the one that is above this one. */
function entering(inner: number): Question {
  const mounting = idmapped(inner);
  return {
    ...mounting,
    emit(writer, request) {
      writer.about('idmappedMounts').call('ioctl').number(inner).number(NS_GET_PARENT).number(0);
      const outer = writer.keep();
      writer.add(call.setns, outer, Flags.NEWUSER);
      writer.add(call.unshare, Flags.NEWNS);
      return mounting.emit(writer, request);
    },
  };
}

/**
 * The owners of a mount are mapped by another user namespace than that of its file system. It has to be below that in which the mount
 * is made, so it takes two children.
 */
export async function idmappedMounts(): Promise<Answer> {
  let mounted: Answers | undefined;
  const held = await ask([userNamespace, nested], {
    request: withOwnIds(),
    async serve(pid) {
      const inner = Namespace.open(pid, 'user');
      try {
        mounted = await ask([entering(inner.fd)], { request: new Request(), descriptors: [inner.fd] });
      } finally {
        inner.close();
      }
    },
  });
  return mounted?.get('idmappedMounts') ?? held.get('idmappedMounts')!;
}
