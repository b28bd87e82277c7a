// Steps of the option `steps`: lines that the caller has recorded, at six places of the set-up.
import { array, oneOf, plainObject } from '../check';
import { invalidArgType, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { recordLine } from '../program/record-line';
import type { Purpose } from '../program/recorder';
import { splice } from '../program/splice';
import type { Writer } from '../program/writer';
import type { Request } from '../assembly/request';
import type { OwnLine } from '../assembly/settings';
import type { Step } from '../assembly/step';

const { CLOSE_RANGE_CLOEXEC, PR_SET_NAME } = constants;

const places = ['start', 'namespaces', 'mounts', 'root', 'exec', 'filtered'] as const;
type Place = (typeof places)[number];

const nameOf = (place: Place): string => `steps at ${place}`;

/** Why a call would not leave the set-up as it is to go on. */
function reasonAgainst(name: string, numbers: readonly (number | undefined)[]): string | undefined {
  if (name === 'exit') return 'the line goes on into the set-up, which ends with the exec of the command';
  if (name === 'execve' || name === 'execveat') return 'what is executed is the command';
  const [first, , flags = 0] = numbers;
  if (name === 'prctl' && first === PR_SET_NAME) return 'by its name we know that the command is not executed yet';
  if (name !== 'close_range') return undefined;
  return (flags & CLOSE_RANGE_CLOEXEC) === 0
    ? 'it would close what the set-up goes on with; add CLOSE_RANGE_CLOEXEC'
    : undefined;
}

function checkLine(value: unknown, option: string, index: number): OwnLine {
  const given = plainObject(value, option, ['at', 'run']);
  const at = oneOf(given.at, `${option}.at`, places);
  if (typeof given.run !== 'function') throw invalidArgType(`${option}.run`, 'of type function', given.run);
  const descriptors = new Set<number>();
  const purpose: Purpose = {
    step: nameOf(at),
    option: 'steps',
    index,
    refuse: reasonAgainst,
    uses: (descriptor) => descriptors.add(descriptor),
  };
  const { recording } = recordLine(given.run as Parameters<typeof recordLine>[0], purpose);
  return { at, option, recording, descriptors: [...descriptors] };
}

/** What a descriptor would be in the child, where that is not what the caller means. */
function reasonNotOpen({ at }: OwnLine, descriptor: number, { stdio, closeFds }: Request): string | undefined {
  if (descriptor <= 2) return undefined;
  if (descriptor < stdio.length) return `is stdio[${descriptor}] of the child; duplicate it to a number beyond`;
  if ((at === 'exec' || at === 'filtered') && closeFds) return 'is closed by then; open it in the line';
  return undefined;
}

function emitLines(writer: Writer, { ownLines }: Request, place: Place): void {
  for (const { at, recording, descriptors } of ownLines) {
    if (at !== place) continue;
    for (const descriptor of descriptors) if (descriptor > 2) writer.keepOpen(descriptor);
    splice(writer, recording.writer);
  }
}

const stepAt = (place: Place, after: Step['after']): Step => ({
  name: nameOf(place),
  options: [],
  onlyWhenGiven: 'steps',
  after,
  emit: (writer, request) => emitLines(writer, request, place),
});

export const linesAtStart: Step = {
  ...stepAt('start', { stdio: 'the numbers of what a line opens are beyond those of stdio' }),
  options: ['steps'],
  onlyWhenGiven: true,

  check(given, request) {
    request.ownLines = array(given.steps, 'steps').map((line, index) => checkLine(line, `steps[${index}]`, index));
  },

  settle(request) {
    for (const line of request.ownLines) {
      for (const descriptor of line.descriptors) {
        const reason = reasonNotOpen(line, descriptor, request);
        if (reason !== undefined)
          throw refusedOption(`${line.option}.run`, `uses descriptor ${descriptor}, which ${reason}`);
      }
    }
  },
};

export const linesInNamespaces = stepAt('namespaces', {
  sysctl: 'the namespaces are configured',
  propagation: 'what a line mounts does not appear on the host',
});

export const linesAfterMounts = stepAt('mounts', { mounts: 'they are all made' });

export const linesInRoot = stepAt('root', { 'root switch': 'it is in the new root' });

export const linesBeforeExec = stepAt('exec', {
  identity: 'it runs as the final user',
  cwd: 'it runs in the final folder',
  noNewPrivileges: 'all but the filters is done',
});

export const filteredLines = stepAt('filtered', { seccomp: 'it runs under the filters' });
