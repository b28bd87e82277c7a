// The default profiles of container engines, where this machine has them. They are in the engines' own form (`archMap`, `includes`,
// `excludes`), from which these make that of the specification for each container: so do we, for one with some capabilities.
import { existsSync, readFileSync } from 'node:fs';

import type { SeccompProfile, SeccompRule } from '../../types/seccomp';
import { errnoByName } from '../../lib/kernel/errno';

interface Conditions {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
}

interface EngineRule extends SeccompRule {
  readonly errno?: string;
  readonly includes?: Conditions;
  readonly excludes?: Conditions;
}

interface EngineProfile extends Pick<SeccompProfile, 'defaultAction' | 'defaultErrnoRet'> {
  readonly defaultErrno?: string;
  readonly archMap: readonly { architecture: string; subArchitectures: SeccompProfile['architectures'] }[];
  readonly syscalls: readonly EngineRule[];
}

/** Debian has the first in golang-github-containers-common; the others are where administrators put them. */
export const engineFiles = [
  '/usr/share/containers/seccomp.json',
  '/etc/containers/seccomp.json',
  '/etc/docker/seccomp.json',
].filter((path) => existsSync(path));

function meets({ includes, excludes }: EngineRule, capabilities: readonly string[]): boolean {
  const has = (name: string): boolean => capabilities.includes(name);
  return (
    (includes?.arches ?? ['amd64']).includes('amd64') &&
    (includes?.caps ?? []).every(has) &&
    !(excludes?.arches ?? []).includes('amd64') &&
    !(excludes?.caps ?? []).some(has)
  );
}

/** The profile in a file for a container on x64. */
export function engineProfile(path: string, capabilities: readonly string[]): SeccompProfile {
  const given = JSON.parse(readFileSync(path, 'utf8')) as EngineProfile;
  const errno = (name: string | undefined, number: number | undefined): number | undefined =>
    name === undefined ? number : errnoByName[name];
  const [native] = given.archMap.filter(({ architecture }) => architecture === 'SCMP_ARCH_X86_64');
  return {
    defaultAction: given.defaultAction,
    defaultErrnoRet: errno(given.defaultErrno, given.defaultErrnoRet),
    architectures: ['SCMP_ARCH_X86_64', ...(native?.subArchitectures ?? [])],
    syscalls: given.syscalls
      .filter((rule) => meets(rule, capabilities))
      .map((rule) => ({
        names: rule.names,
        action: rule.action,
        errnoRet: errno(rule.errno, rule.errnoRet),
        args: rule.args ?? [],
      })),
  };
}
