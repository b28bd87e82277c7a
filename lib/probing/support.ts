// All that probe() tells: what is asked of which child, and where the answers go.
import { addon } from '../addon';
import { os } from '../builtin';
import { namespaceKinds } from '../flags';
import { whyNotLaunched } from '../host/launching';
import { constants } from '../kernel/constants';
import type { SyscallError } from '../errors/syscall-error';
import { errnoName } from '../kernel/errno-texts';
import { Credentials } from '../privilege';
import type { Answer, Feature, Refusal, Support } from '../../types/probe';
import { answerOf } from './answer';
import { after, before } from './calls';
import { cgroup } from './cgroup';
import { idMapHelpers, idmappedMounts, subordinateIds, withOwnIds } from './id-maps';
import { type Answers, ask, type Question } from './line';
import { mountCalls, overlay, proc } from './mounts';
import { allNamespaces, mountNamespace, userNamespace } from './namespaces';

const features: readonly Feature[] = [
  'clone3',
  'pidfd',
  'executableMemory',
  'closeFds',
  'subordinateIds',
  'idMapHelpers',
  'proc',
  'mountCalls',
  'overlay',
  'idmappedMounts',
  'cgroup',
  'seccomp',
  'seccompListener',
  'landlock',
];

/** What throws at once is a rejection like any other: the others have begun, and somebody has to hear of theirs. */
async function askWithOwnIds(...questions: readonly Question[]): Promise<Answers> {
  return ask(questions, { request: withOwnIds() });
}

/** Who has CAP_SYS_ADMIN needs no user namespace for the others, and all others need one: of an ordinary user one child asks it all. */
function askForNamespaces(): Promise<Answers>[] {
  const kernel = [mountCalls, proc];
  if (!new Credentials().has(constants.CAP_SYS_ADMIN))
    return [askWithOwnIds(...before, userNamespace, ...allNamespaces(['user']), ...kernel, overlay, ...after)];
  return [
    askWithOwnIds(userNamespace, mountNamespace(['user']), overlay),
    askWithOwnIds(...before, ...allNamespaces([]), ...kernel, ...after),
  ];
}

/** Where no file can be opened, nothing can be looked at, and what cannot be read would be told to be missing. */
function shortage(): Refusal | undefined {
  const descriptor = addon().openAt(constants.AT_FDCWD, '/');
  if (descriptor >= 0) addon().close(descriptor);
  const code = descriptor < 0 ? errnoName(-descriptor) : '';
  return code === 'EMFILE' || code === 'ENFILE' ? whyNotLaunched(code, 'openat') : undefined;
}

async function askAll(): Promise<Record<'namespaces' | 'features', Answers>> {
  const lent = subordinateIds();
  const [cgroups, idmapped, helpers, ...asked] = await Promise.all([
    cgroup(),
    idmappedMounts(),
    idMapHelpers(lent.available),
    ...askForNamespaces(),
  ]);
  // What is asked twice is asked last as clone() has it.
  const answers = asked.flatMap((some) => [...some]);
  const others = [
    ['subordinateIds', lent],
    ['idMapHelpers', helpers],
    ['idmappedMounts', idmapped],
    ['cgroup', cgroups],
  ] as const;
  return { namespaces: new Map(answers), features: new Map([...answers, ...others]) };
}

function only<K extends string>(names: readonly K[], answer: (name: K) => Answer): Record<K, Answer> {
  return Object.fromEntries(names.map((name) => [name, answer(name)])) as Record<K, Answer>;
}

export async function lookAround(): Promise<Support> {
  const short = shortage();
  const none: Answer | undefined = short === undefined ? undefined : { available: false, ...short };
  if (none !== undefined) return supportOf(() => none);
  try {
    const { namespaces, features: others } = await askAll();
    return supportOf((name, isKind) => (isKind ? namespaces : others).get(name)!);
  } catch (error) {
    // There was one more when it began.
    const { code } = error as SyscallError;
    if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    return supportOf(() => answerOf(error as SyscallError));
  }
}

function supportOf(answer: (name: string, isKind: boolean) => Answer): Support {
  return {
    kernel: os().release(),
    namespaces: only(
      namespaceKinds.map(({ kind }) => kind),
      (name) => answer(name, true),
    ),
    features: only(features, (name) => answer(name, false)),
  };
}
