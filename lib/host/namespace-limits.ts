// How many namespaces of a kind a user may have here, see namespaces(7).
import type { Refusal } from '../../types/probe';
import { host } from './host';

/** As the parameters user.max_…_namespaces have them. */
const kinds: Readonly<Record<string, string>> = {
  CLONE_NEWCGROUP: 'cgroup',
  CLONE_NEWIPC: 'ipc',
  CLONE_NEWNET: 'net',
  CLONE_NEWNS: 'mnt',
  CLONE_NEWPID: 'pid',
  CLONE_NEWTIME: 'time',
  CLONE_NEWUSER: 'user',
  CLONE_NEWUTS: 'uts',
};

/** These are nested, and no deeper than 32. */
const nesting = new Set(['pid', 'user']);

/** Why the kernel makes no more (ENOSPC). @param flags 'CLONE_NEWNET', or several of them with | between */
export function whyNoMoreNamespaces(flags: string): Refusal {
  const asked = flags.split('|').flatMap((flag) => kinds[flag] ?? []);
  const off = asked.find((kind) => host.read(`/proc/sys/user/max_${kind}_namespaces`) === '0');
  if (off !== undefined)
    return { cause: 'sysctl', detail: `sysctl user.max_${off}_namespaces is 0`, hint: 'set it to 10000, for one' };
  const [kind] = asked;
  if (kind === undefined || asked.length > 1) {
    return {
      cause: 'sysctl',
      detail: 'no (more) namespaces of one of these kinds here',
      hint: 'see the sysctls user.max_*_namespaces, and the nesting limit of 32',
    };
  }
  const detail = `no (more) ${kind} namespaces here`;
  return nesting.has(kind)
    ? { cause: 'sysctl', detail, hint: `see sysctl user.max_${kind}_namespaces, and the nesting limit of 32` }
    : { cause: 'sysctl', detail, hint: `see sysctl user.max_${kind}_namespaces` };
}
