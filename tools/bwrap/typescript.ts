// What `nsclone plan bwrap` prints: a line as a call of clone(), and the system calls of that.
import { inspect } from 'node:util';

import { Flags, plan, type Step } from '../../lib/index';
import type { BwrapCommand } from './index';
import { textOfStep } from './namespaces';

const nameOf = (text: string): string => (/^[A-Za-z_$][\w$]*$/.test(text) ? text : inspect(text));

function flagsOf(flags: number): string {
  const names = Object.entries(Flags).filter(
    ([name, value]) => name !== 'NONE' && typeof value === 'number' && (flags & value) !== 0,
  );
  return names.map(([name]) => `Flags.${name}`).join(' | ');
}

/** What is another one than ours. What we have ourselves is nobody's business. */
function environmentOf(env: Readonly<Record<string, string | undefined>>): string {
  const isNew = Object.keys(process.env).every((name) => env[name] === undefined);
  const changed = Object.entries(env).filter(([name, value]) => isNew || process.env[name] !== value);
  const removed = Object.keys(process.env).filter((name) => env[name] === undefined);
  const fields = [
    ...(isNew ? [] : ['...process.env']),
    ...changed.map(([name, value]) => `${nameOf(name)}: ${inspect(value)}`),
    ...(isNew ? [] : removed.map((name) => `${nameOf(name)}: undefined`)),
  ];
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

function stepOf(step: Step): string {
  return `{ at: ${inspect(step.at)}, run: ${textOfStep(step)} }`;
}

const special: Readonly<Record<string, (value: never) => string>> = {
  flags: flagsOf,
  env: environmentOf,
  steps: (steps: readonly Step[]) => `[\n    ${steps.map(stepOf).join(',\n    ')},\n  ]`,
};

function literal(value: unknown, name = ''): string {
  if (name === 'mode') return `0o${(value as number).toString(8)}`;
  if (value instanceof Uint8Array) return `Buffer.from('${Buffer.from(value).toString('base64')}', 'base64')`;
  if (Array.isArray(value)) return `[${value.map((one) => literal(one)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return inspect(value);
  const fields = Object.entries(value).filter(([, one]) => one !== undefined);
  return `{ ${fields.map(([key, one]) => `${nameOf(key)}: ${literal(one, key)}`).join(', ')} }`;
}

function field(name: string, value: unknown): string {
  const own = special[name];
  if (own !== undefined) return own(value as never);
  if (Array.isArray(value) && value.some((one) => typeof one === 'object'))
    return `[\n${value.map((one) => `    ${literal(one)},\n`).join('')}  ]`;
  return literal(value);
}

/** The call, as it can be written into a program. */
export function callOf({ command, args, options, attend }: BwrapCommand): string {
  const fields = Object.entries(options).filter(([, value]) => value !== undefined);
  const lines = fields.map(([name, value]) => `  ${name}: ${field(name, value)},\n`);
  const usesConstants = options.steps?.some((step) => textOfStep(step).includes('constants')) === true;
  const names = ['clone', ...(usesConstants ? ['constants'] : []), 'Flags'].join(', ');
  const held =
    attend === undefined
      ? ''
      : '// It is held: tell whoever is to be told, wait for whoever is waited for, then\nawait child.start();\n';
  return `import { ${names} } from 'nsclone';\n\nconst child = await clone(${literal(command)}, ${literal(args)}, {\n${lines.join('')}});\n${held}`;
}

/** The call, and what it does. */
export function planOf(bwrap: BwrapCommand): string {
  const { command, args, options } = bwrap;
  return `${callOf(bwrap)}\n${String(plan(command, args, options))}\n`;
}
