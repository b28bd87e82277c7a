// Capabilities by the names that libcap has for them, and those that we have.
import { readFileSync } from 'node:fs';

import { constants, type CapabilityName } from '../../lib/index';

const names = Object.entries(constants).filter(([name]) => /^CAP_(?!LAST_CAP)/.test(name)) as [
  CapabilityName,
  number,
][];

let last: number | undefined;

/** All that this kernel knows. */
export function allCapabilities(): readonly CapabilityName[] {
  last ??= Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  return names.filter(([, value]) => value <= last!).map(([name]) => name);
}

/** By name or number, as cap_from_name(3) has it. */
export function capabilityOf(text: string): CapabilityName | undefined {
  const wanted = text.toUpperCase();
  return names.find(([name, value]) => name === wanted || String(value) === text)?.[0];
}

/** Those that we have. */
export function ownCapabilities(): Set<CapabilityName> {
  const effective = BigInt(`0x${/^CapEff:\t(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
  return new Set(allCapabilities().filter((name) => ((effective >> BigInt(constants[name])) & 1n) === 1n));
}
