// Capabilities by name, and the five sets of them, see capabilities(7).
import { array, plainObject } from '../check';
import { invalidArgType, invalidArgValue } from '../errors/argument-error';
import { didYouMean } from '../errors/nearest';
import { constants } from '../kernel/constants';
import { askProc, procError } from '../proc';
import type { CapabilitySets } from '../assembly/settings';

export const emptySet = 0n;

const setNames = ['bounding', 'permitted', 'effective', 'inheritable', 'ambient'] as const;

const numbers = new Map<string, number>(
  Object.entries(constants).flatMap(([name, value]) =>
    name.startsWith('CAP_') && name !== 'CAP_LAST_CAP' && typeof value === 'number' ? [[name, value] as const] : [],
  ),
);

function mustRead(path: string): string {
  const text = askProc(path);
  if (typeof text === 'string') return text;
  throw procError(-text, { step: 'identity', option: 'capabilities', syscall: 'openat', path: `/proc/${path}` });
}

let last: number | undefined;

/** The last capability that the running kernel knows. */
function lastCapability(): number {
  return (last ??= Number(mustRead('sys/kernel/cap_last_cap')));
}

/** The names of the capabilities in a set. */
export function namesOf(set: bigint): string[] {
  return [...numbers].filter(([, number]) => ((set >> BigInt(number)) & 1n) !== 0n).map(([name]) => name);
}

function checkSet(value: unknown, option: string): bigint {
  return array(value, option).reduce<bigint>((set, name, index) => {
    const number = typeof name === 'string' ? numbers.get(name) : undefined;
    if (number === undefined) {
      const nearest = typeof name === 'string' ? didYouMean(name, numbers.keys()) : '';
      throw invalidArgValue(
        `${option}[${index}]`,
        name,
        `must be the name of a capability, such as 'CAP_NET_ADMIN'${nearest}`,
      );
    }
    if (number > lastCapability()) throw invalidArgValue(`${option}[${index}]`, name, 'is not known to this kernel');
    return set | (1n << BigInt(number));
  }, emptySet);
}

/** What a process like us has after its exec, of /proc/self/status. */
function ownSets(): Record<'effective' | 'ambient' | 'bounding' | 'inheritable', bigint> {
  const status = mustRead('thread-self/status');
  const read = (name: string): bigint => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)![1]!}`);
  return {
    effective: read('CapEff'),
    ambient: read('CapAmb'),
    bounding: read('CapBnd'),
    inheritable: read('CapInh'),
  };
}

/** All that there are: what the first process of a user namespace has. */
function allCapabilities(): bigint {
  return (1n << BigInt(lastCapability() + 1)) - 1n;
}

/**
 * What the stub has: everything in a user namespace that is new to it, else what the exec of the stub left of ours, see
 * ReadCapabilities() in src-native/launch/launch.cc.
 */
export function availableSet(inNewUserNamespace: boolean, securebits: number): bigint {
  if (inNewUserNamespace) return allCapabilities();
  const { effective, ambient, bounding, inheritable } = ownSets();
  if (process.geteuid!() === 0 && (securebits & constants.SECBIT_NOROOT) === 0) return bounding | inheritable;
  if ((securebits & constants.SECBIT_NO_CAP_AMBIENT_RAISE) !== 0) return ambient;
  return ambient | (effective & (bounding | inheritable));
}

/** Checks the option; an array alone sets bounding, permitted and effective. */
export function checkCapabilities(value: unknown): CapabilitySets {
  const none = { inheritable: undefined, ambient: undefined, available: emptySet };
  if (Array.isArray(value)) {
    const set = checkSet(value, 'capabilities');
    return { ...none, bounding: set, permitted: set, effective: set, last: lastCapability() };
  }
  if (typeof value !== 'object' || value === null) {
    throw invalidArgType('capabilities', 'an instance of Array or an object of sets', value);
  }
  const given = plainObject(value, 'capabilities', setNames);
  const [bounding, permitted, effective, inheritable, ambient] = setNames.map((name) =>
    given[name] === undefined ? undefined : checkSet(given[name], `capabilities.${name}`),
  );
  return { bounding, permitted, effective, inheritable, ambient, available: emptySet, last: lastCapability() };
}
