// Whose effective and real ids differ, as after seteuid(2): the exec goes by both, see cap_bprm_creds_from_file() in the kernel.
import { refusedOption } from '../errors/argument-error';
import { isKernelBefore } from '../host/kernel-release';
import type { Request } from '../assembly/request';

/** Why set-up may not open what it has below /proc: the exec of such a process makes it undumpable. */
export const noOwnFiles =
  'our effective user or group id is not the real one, and children of such a process may not open their own files below /proc';

export function hasMixedIds({ own }: Request): boolean {
  return own.uid !== own.realUid || own.gid !== own.realGid;
}

/** Of our ids, those whose effective one is not the real one, as after seteuid(2), and stays so. */
function mixedIds({ uid, gid, own, userIds, groupIds }: Request): string[] {
  return [
    ...(uid === undefined && own.uid !== own.realUid && !userIds.becomesZero ? ['uid'] : []),
    ...(gid === undefined && own.gid !== own.realGid && !groupIds.becomesZero ? ['gid'] : []),
  ];
}

/** The option that lets the exec give no new privileges. */
function optionOfNoNewPrivileges({ noNewPrivileges, seccomp, landlock }: Request): string | undefined {
  if (noNewPrivileges !== undefined) return noNewPrivileges ? 'noNewPrivileges' : undefined;
  if (seccomp.length > 0) return 'seccomp';
  return landlock === undefined ? undefined : 'landlock';
}

/** @throws ArgumentError for an option of which an exec of such ids makes something else */
export function refuseMixedIds(request: Request): void {
  const { capabilities, parentDeathSignal } = request;
  const noNew = optionOfNoNewPrivileges(request);
  if (capabilities === undefined && parentDeathSignal === 0 && noNew === undefined) return;
  const mixed = mixedIds(request);
  if (mixed.length === 0) return;
  const refuse = (option: string, what: string): never => {
    const ids = mixed.join(' and ');
    throw refusedOption(option, `needs ${ids}: our effective ${ids} is not the real one, and by that the exec ${what}`);
  };
  if (parentDeathSignal !== 0) refuse('parentDeathSignal', 'clears it');
  // Until 6.17 whoever is somebody else by the real id than by the effective one; then who would get a capability by it.
  if (noNew !== undefined && (isKernelBefore('6.17') || capabilities !== undefined))
    refuse(noNew, 'makes the effective one the real one');
  if (capabilities === undefined || !mixed.includes('uid') || request.own.realUid !== 0) return;
  const { bounding, inheritable = 0n, ambient = 0n } = capabilities;
  if (bounding === undefined || ((bounding | inheritable) & ~ambient) !== 0n)
    refuse('capabilities', 'gives all that the bounding set has');
}
