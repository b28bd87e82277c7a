// Why the kernel makes no namespace of a kind: how many a user may have here, and which it knows; see namespaces(7).
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

/** Names of kinds. @param flags 'CLONE_NEWNET', or several of them with | between */
function kindsIn(flags: string): string[] {
  return flags.split('|').flatMap((flag) => kinds[flag] ?? []);
}

/** Which of them this kernel is built without (EINVAL); undefined where it has all. @param flags as formatFlags() has them */
export function whyNoSuchNamespaces(flags: string): Refusal | undefined {
  const has = (kind: string): boolean => host.readlink(`/proc/thread-self/ns/${kind}`) !== undefined;
  const lacking = kindsIn(flags).find((kind) => !has(kind));
  if (lacking === undefined || !has('mnt')) return undefined;
  const setting = lacking === 'cgroup' ? 'CONFIG_CGROUPS' : `CONFIG_${lacking.toUpperCase()}_NS`;
  // The one that came last, and that some architectures do not have at all.
  const hint = lacking === 'time' ? 'leave out Flags.NEWTIME and timeOffsets here' : undefined;
  const detail = `this kernel is built without ${lacking} namespaces (${setting})`;
  return { cause: 'kernel', detail, ...(hint === undefined ? {} : { hint }) };
}

/** Why the kernel makes no more (ENOSPC). @param flags as formatFlags() has them */
export function whyNoMoreNamespaces(flags: string): Refusal {
  const asked = kindsIn(flags);
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
