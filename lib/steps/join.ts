// Step `join`: the namespaces of others that the child enters.
import { refusedOption } from '../errors/argument-error';
import { Flags, formatFlags } from '../flags';
import { holds, whoRefuses } from '../host/ourselves';
import { checkTargets } from '../join-target';
import { isTargetWithinOurs, ownerOfTarget, whyNotBelow, whyNotOwner } from '../within-ours';
import { constants } from '../kernel/constants';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import { closeToOthers, stayClosed } from './closed-to-others';
import { changeable } from '../assembly/fact';
import type { Request } from '../assembly/request';
import type { JoinEntry } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { joinWord, lowestFree } from '../assembly/words';

const { F_DUPFD_CLOEXEC } = constants;

/** The new one is made below the one that is joined. */
const nesting = Flags.NEWUSER | Flags.NEWPID;

function hasUser({ flags }: JoinEntry): boolean {
  return (flags & Flags.NEWUSER) !== 0;
}

function othersOf({ flags }: JoinEntry): number {
  return (flags & ~Flags.NEWUSER) >>> 0;
}

/** A copy in the stub, out of the way of stdio, which may be closed as a sign that it has been entered. */
function copy(writer: Writer, request: Request, index: number): Slot {
  writer.add(call.fcntlAt, joinWord(request, index), F_DUPFD_CLOEXEC, lowestFree(request));
  return writer.keep();
}

function aboutEntry(writer: Writer, { option, path }: JoinEntry): Writer {
  return writer.about('join', option).subject(path);
}

/** Before stdio, which may take the numbers that the descriptors have. */
export const joinSources: Step = {
  name: 'join sources',
  options: [],
  onlyWhenGiven: 'join',
  after: { 'stdio sources': 'the words of the descriptors are made there' },

  emit(writer, request) {
    if (request.joins.length === 0) return;
    request.joinSlots = request.joins.map((entry, index) => {
      aboutEntry(writer, entry);
      return {
        others: othersOf(entry) === 0 ? undefined : copy(writer, request, index),
        user: hasUser(entry) ? copy(writer, request, index) : undefined,
      };
    });
  },
};

function whyNotEntered(entry: JoinEntry | undefined, request: Request): string {
  const isProcess = /^\/proc\/\d+\/ns$/.test(entry?.path ?? '');
  if (request.joinsUser)
    return isProcess
      ? 'needs CAP_SYS_ADMIN in the user namespace that owns it, and a process that we may look into, see ptrace(2)'
      : 'needs CAP_SYS_ADMIN in the user namespace that owns it';
  if (isProcess)
    return 'needs CAP_SYS_ADMIN in the user namespace that owns it, and a process that we may look into, see ptrace(2); join that user namespace too';
  return (
    (entry && whyNotOwner(ownerOfTarget(entry))) ??
    'needs CAP_SYS_ADMIN in the user namespace that owns it; join that user namespace too'
  );
}

export const join: Step = {
  name: 'join',
  options: ['join'],
  onlyWhenGiven: true,
  after: {
    'join sources': 'they are opened before the view changes',
    'raised rlimits': 'the privilege for it may end here',
    'security label': 'it is written to a file below our own /proc',
  },

  check(given, request) {
    const targets = Array.isArray(given.join) ? (given.join as unknown[]) : [given.join];
    request.facts.push(changeable);
    request.joins = targets
      .flatMap((target, index) => {
        const option = Array.isArray(given.join) ? `join[${index}]` : 'join';
        // Namespaces that are only made are made in another user namespace; nothing else is entered for them.
        const wanted = request.forNamespaces ? Flags.NEWUSER : undefined;
        return checkTargets(target, option, wanted).map((one) => ({ option, ...one }));
      })
      .filter(({ flags }) => flags !== 0);
  },

  settle(request) {
    let all = 0;
    for (const { flags, option } of request.joins) {
      const twice = (all & flags) >>> 0;
      if (twice !== 0) throw refusedOption(option, `enters ${formatFlags(twice)} a second time`);
      all |= flags;
    }
    const both = (all & request.flags & ~nesting) >>> 0;
    if (both === 0) return;
    throw refusedOption(
      'join',
      `cannot enter ${formatFlags(both)} that flags create: a process is in one of each kind`,
    );
  },

  emit(writer, request) {
    if (request.joins.length === 0) return;
    closeToOthers(writer, request);
    const copies = request.joins.map((entry, index) => ({ entry, ...request.joinSlots[index]! }));
    const about = (entry: JoinEntry): Writer => aboutEntry(writer, entry);
    const withUser = copies.some(({ user }) => user !== undefined);
    if (withUser) {
      // Outside of the user namespace first, which works where we have rights over the owner of the others…
      for (const { entry, others } of copies) {
        if (others === undefined) continue;
        about(entry).add(call.setns, others, othersOf(entry)).skipAny(1);
        writer.add(call.close, others);
      }
      for (const { entry, user } of copies) {
        if (user === undefined) continue;
        about(entry).add(call.setns, user, Flags.NEWUSER);
        writer.add(call.close, user);
        stayClosed(writer, request);
      }
    }
    // … then with the rights that it gives. What is entered already is closed.
    for (const { entry, others } of copies) {
      if (others === undefined) continue;
      about(entry).add(call.setns, others, othersOf(entry));
      if (withUser) writer.skip('EBADF', 1);
      writer.add(call.close, others);
    }
  },

  hint(code, label, request) {
    const entry = request.joins.find(({ option }) => option === label.option);
    if (code === 'EPERM') {
      if (!request.joinsUser && holds(constants.CAP_SYS_ADMIN) === true && request.joins.every(isTargetWithinOurs))
        return whoRefuses(code, 'setns');
      return whyNotEntered(entry, request);
    }
    if (code === 'ESRCH') return 'the process has ended';
    if (code === 'EINVAL' && entry?.flags === Flags.NEWPID) return whyNotBelow();
    if (code === 'EINVAL') return 'it is no such namespace any more, or the process is in this user namespace already';
    return undefined;
  },
};
