// The second clone of a program that is born into a cgroup, by clone3(2) where that may be called.
import { constants } from '../kernel/constants';
import { ReportPid } from '../program/format';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import { flagsOf, legacyClone } from './second-clone';

const { CLONE_INTO_CGROUP, O_CLOEXEC, O_WRONLY } = constants;

/** `struct clone_args`, up to and with its field `cgroup`. */
const cloneArgs = { size: 88, flags: 0, parentTid: 24, cgroup: 80 };

function about(writer: Writer, { cgroup, cgroups }: Request): Writer {
  const entry = cgroups.find(({ version }) => version === 2);
  return writer.about('cgroup', entry?.option ?? 'cgroup').subject(typeof cgroup === 'string' ? cgroup : undefined);
}

/** Writes it; `cgroup` is the descriptor of its folder. */
export function cloneIntoCgroup(writer: Writer, request: Request, cgroup: Slot): void {
  // Where cgroup.kill was ever written, Linux (6.18) kills whoever is born into it from outside.
  if (request.treeWay === 'cgroup') return moveAndClone(about(writer, request), request, cgroup);
  const args = writer.reserve(cloneArgs.size);
  writer.setInt64(args + cloneArgs.flags, Number(BigInt(flagsOf(request)) | CLONE_INTO_CGROUP));
  about(writer, request).storeReport(ReportPid, args + cloneArgs.parentTid);
  writer.store(cgroup, args + cloneArgs.cgroup, 8);
  writer.add(call.clone3, args, cloneArgs.size).fork();
  // Container profiles forbid clone3(2).
  writer.skip('ENOSYS', 1).skip('EPERM', 1);
  writer.jump(5);
  moveAndClone(writer, request, cgroup);
}

/** This process goes into the cgroup itself, and its child is born there. */
function moveAndClone(writer: Writer, request: Request, cgroup: Slot): void {
  // In every cgroup of v2, and in none of v1, which it must not fall into.
  writer.add(call.faccessatOf, cgroup, writer.addText('cgroup.controllers'));
  writer.add(call.openatOf, cgroup, writer.addText('cgroup.procs'), O_WRONLY | O_CLOEXEC);
  const procs = writer.keep();
  writer.add(call.write, procs, writer.addText('0'), 1).minimum(1);
  writer.add(call.close, procs);
  legacyClone(writer, request);
}
