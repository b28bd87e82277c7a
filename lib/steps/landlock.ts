// Step `landlock`: what the program and all that it starts may still do with files, ports and others, see landlock(7).
//
// The rules are made as soon as the final root is there, by paths in it, and the ruleset is kept: nothing that leads to a file stays open.
// It is put upon the process last, before the filter.
import type { Landlock, LandlockPort, LandlockRule } from '../../types/landlock';
import { array, boolean, fileDescriptor, integer, oneOf, path, plainObject } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { constants } from '../kernel/constants';
import { stepConstants } from '../kernel/step-constants';
import { LandlockVersion } from '../privilege';
import type { Slot, Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import type { PathRule, Restriction } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { keepUntilExec } from '../assembly/until-exec';
import { lowestFree } from '../assembly/words';
import {
  accessNames,
  accessOf,
  neededFor,
  parts,
  rightsKnownBy,
  rightsOfFolders,
  spellRights,
  versions,
} from './landlock-access';

const { AT_FDCWD, F_DUPFD_CLOEXEC, O_CLOEXEC, O_PATH, RESOLVE_NO_MAGICLINKS } = constants;
const numbers = stepConstants();
const { LANDLOCK_RULE_NET_PORT, LANDLOCK_RULE_PATH_BENEATH } = numbers;

const portBits = {
  bind_tcp: numbers.LANDLOCK_ACCESS_NET_BIND_TCP,
  connect_tcp: numbers.LANDLOCK_ACCESS_NET_CONNECT_TCP,
} as const;
const scopeBits = {
  abstract_unix_socket: numbers.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET,
  signal: numbers.LANDLOCK_SCOPE_SIGNAL,
} as const;

/** `struct open_how`: flags, mode, resolve. */
const openHow = { size: 24, resolve: 16 };
/** `struct landlock_ruleset_attr`: handled_access_fs, and handled_access_net and scoped where they are needed: an older kernel has none. */
const rulesetAttr = { size: 24, net: 8, scoped: 16 };
/** `struct landlock_path_beneath_attr`: allowed_access, parent_fd. */
const pathAttr = { size: 16, file: 8 };
/** `struct landlock_net_port_attr`: allowed_access, port. */
const portAttr = { size: 16, port: 8 };

function keysOf<T extends object>(bits: T): readonly (keyof T & string)[] {
  return Object.keys(bits) as (keyof T & string)[];
}

function bitsOf<T extends Record<string, number>>(value: unknown, option: string, bits: T): number {
  const names = array(value, option);
  return names.reduce<number>((all, name, index) => all | bits[oneOf(name, `${option}[${index}]`, keysOf(bits))]!, 0);
}

function checkPath(value: unknown, option: string): string | number {
  if (typeof value === 'number') return fileDescriptor(value, option);
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null))
    throw invalidArgType(option, 'of type string or number, or an instance of URL', value);
  const checked = path(value, option);
  if (!checked.startsWith('/'))
    throw invalidArgValue(option, checked, 'must be absolute: it is a path in the final root');
  return checked;
}

function checkRule(value: unknown, option: string): PathRule {
  const given = plainObject<keyof LandlockRule>(value, option, ['path', 'access', 'optional']);
  const file = checkPath(given.path, `${option}.path`);
  const names = array(given.access, `${option}.access`);
  if (names.length === 0)
    throw invalidArgValue(`${option}.access`, names, 'must not be empty: what no rule allows is refused');
  const access = accessOf(names.map((name, index) => oneOf(name, `${option}.access[${index}]`, accessNames)));
  const optional = given.optional === undefined ? false : boolean(given.optional, `${option}.optional`);
  if (optional && typeof file === 'number')
    throw refusedOption(`${option}.optional`, 'must not be true beside a descriptor, which is there');
  return { option, path: file, access, optional };
}

function checkPort(value: unknown, option: string): { option: string; port: number; access: number } {
  const given = plainObject<keyof LandlockPort>(value, option, ['port', 'access']);
  const port = integer(given.port, `${option}.port`, 0, 65_535);
  const access = bitsOf(given.access, `${option}.access`, portBits);
  if (access === 0) throw invalidArgValue(`${option}.access`, [], 'must not be empty: what no rule allows is refused');
  return { option, port, access };
}

function checkAll<T>(
  value: unknown,
  option: string,
  check: (one: unknown, name: string) => T,
): readonly T[] | undefined {
  return value === undefined ? undefined : array(value, option).map((one, index) => check(one, `${option}[${index}]`));
}

function checkLandlock(value: unknown): Restriction {
  const { rules, net, scope, minimumAbi } = plainObject<keyof Landlock>(value, 'landlock', [
    'rules',
    'net',
    'scope',
    'minimumAbi',
  ]);
  const checked = {
    rules: checkAll(rules, 'landlock.rules', checkRule),
    net: checkAll(net, 'landlock.net', checkPort),
    scope: scope === undefined ? 0 : bitsOf(scope, 'landlock.scope', scopeBits),
    minimumAbi: minimumAbi === undefined ? undefined : integer(minimumAbi, 'landlock.minimumAbi', 1),
  };
  if (checked.rules === undefined && checked.net === undefined && checked.scope === 0)
    throw invalidArgValue('landlock', value, 'must have rules, net or scope: there is nothing to restrict');
  return { ...checked, abi: Infinity };
}

const asked = ({ rules, net, scope }: Restriction): readonly (keyof typeof neededFor)[] => [
  ...(rules === undefined ? [] : ['rules' as const]),
  ...(net === undefined ? [] : ['net' as const]),
  ...(scope === 0 ? [] : ['scope' as const]),
];

/** Whether all that was asked for is left out. */
function isNothing({ rules, net, scope, abi }: Restriction): boolean {
  return rules === undefined && (net === undefined || abi < neededFor.net) && (scope === 0 || abi < neededFor.scope);
}

/** What a kernel of this version cannot do of a field. */
function leftOut(field: keyof typeof neededFor, abi: number): string {
  if (field === 'net') return 'TCP ports';
  if (field === 'scope') return 'scopes';
  return spellRights(rightsKnownBy(neededFor.rules) & ~rightsKnownBy(abi) & ~numbers.LANDLOCK_ACCESS_FS_REFER);
}

/** Refuses what this kernel cannot enforce, or notes it where less will do. */
function settleVersion(request: Request, given: Restriction, abi: number): void {
  const { minimumAbi } = given;
  const linux = (version: number): string => versions.find(([one]) => one === version)![1];
  if (minimumAbi !== undefined && minimumAbi > abi)
    throw refusedOption('landlock.minimumAbi', `is ${minimumAbi}, and this kernel has Landlock ABI ${abi}`);
  for (const field of asked(given)) {
    const needed = neededFor[field];
    if (needed <= abi) continue;
    const what = leftOut(field, abi);
    if (minimumAbi === undefined) {
      throw refusedOption(
        `landlock.${field}`,
        `needs Landlock ABI ${needed} (Linux ${linux(needed)}), and this kernel has ${abi}, which knows no ${what}; with minimumAbi: ${abi} they are left out`,
      );
    }
    request.note(`landlock: ${what} are not restricted, as this kernel has Landlock ABI ${abi}`);
  }
  // The one right that every ruleset handles: an older kernel has no way to give it.
  if (given.rules !== undefined && abi === 1)
    request.note(
      'landlock: no file can be renamed or linked to another folder (refer), as this kernel has Landlock ABI 1',
    );
}

/** Copies of descriptors of ours, before stdio can take their numbers. */
export const landlockSources: Step = {
  name: 'landlock sources',
  options: [],
  onlyWhenGiven: 'landlock',
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  emit(writer, request) {
    const rules = request.landlock!.rules ?? [];
    request.landlockSlots = rules.map(({ path: file, option }) => {
      if (typeof file === 'string') return undefined;
      writer.about(this.name, option).subject(`descriptor ${file}`);
      writer.keepOpen(file);
      writer.add(call.fcntl, file, F_DUPFD_CLOEXEC, lowestFree(request));
      return writer.keep();
    });
  },
};

function openPath(writer: Writer, text: string, slot: Slot | undefined): Slot {
  const how = writer.reserve(openHow.size);
  writer.setInt64(how, O_PATH | O_CLOEXEC);
  // What set-up has open has a name below /proc, which a link of a stranger's may lead to.
  writer.setInt64(how + openHow.resolve, RESOLVE_NO_MAGICLINKS);
  writer.add(call.openat2Number, AT_FDCWD, writer.addText(text), how, openHow.size).retry();
  return writer.keep(slot);
}

function addPath(writer: Writer, ruleset: Slot, file: Slot, access: number): void {
  const attributes = writer.reserve(pathAttr.size);
  writer.setInt64(attributes, access);
  writer.store(file, attributes + pathAttr.file, 4);
  writer.add(call.landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, attributes);
}

function addPort(writer: Writer, ruleset: Slot, port: number, access: number): void {
  const attributes = writer.reserve(portAttr.size);
  writer.setInt64(attributes, access);
  writer.setInt64(attributes + portAttr.port, port);
  writer.add(call.landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT, attributes);
}

function makeRuleset(writer: Writer, request: Request, { rules, net, scope, abi }: Restriction): Slot {
  const handlesNet = net !== undefined && abi >= neededFor.net;
  const scoped = abi >= neededFor.scope ? scope : 0;
  const attributes = writer.reserve(rulesetAttr.size);
  writer.setInt64(attributes, rules === undefined ? 0 : rightsKnownBy(abi));
  if (handlesNet) writer.setInt64(attributes + rulesetAttr.net, portBits.bind_tcp | portBits.connect_tcp);
  writer.setInt64(attributes + rulesetAttr.scoped, scoped);
  const size = scoped !== 0 ? rulesetAttr.size : handlesNet ? rulesetAttr.scoped : rulesetAttr.net;
  writer.add(call.landlock_create_ruleset, attributes, size);
  return keepUntilExec(writer, request, 'ruleset', writer.keep());
}

export const landlockRules: Step = {
  name: 'landlock rules',
  options: [],
  onlyWhenGiven: 'landlock',
  after: { 'root switch': 'its paths are those of the final root' },

  emit(writer, request) {
    const given = request.landlock!;
    request.untilExec.delete('ruleset');
    if (isNothing(given)) return;
    const ruleset = makeRuleset(writer.about(this.name, 'landlock'), request, given);
    let free: Slot | undefined;
    given.rules?.forEach(({ option, path: file, access, optional }, index) => {
      const { always, ofFolders } = parts(access, rightsKnownBy(given.abi));
      writer.about(this.name, option).subject(typeof file === 'string' ? file : `descriptor ${file}`);
      const opened = typeof file === 'string' ? (free = openPath(writer, file, free)) : request.landlockSlots[index]!;
      const opening = writer.count - 1;
      if (always !== 0) addPath(writer, ruleset, opened, always);
      // A word says of a file what there is to say of files.
      if (ofFolders !== 0) {
        addPath(writer, ruleset, opened, ofFolders);
        writer.accept('EINVAL');
      }
      writer.add(call.close, opened);
      if (!optional) return;
      for (const errno of ['ENOENT', 'ENOTDIR']) writer.at(opening).skip(errno, writer.count - opening - 1);
    });
    if (given.abi < neededFor.net) return;
    given.net?.forEach(({ option, port, access }) => addPort(writer.about(this.name, option), ruleset, port, access));
  },

  hint(code, { option }, request) {
    switch (code) {
      case 'ENOSYS':
        return 'this kernel is built without Landlock (CONFIG_SECURITY_LANDLOCK)';
      case 'EOPNOTSUPP':
      case 'ENOTSUP':
        return 'Landlock is switched off: the boot parameter lsm must name it, see landlock(7)';
      case 'EAFNOSUPPORT':
        return 'this kernel is built without TCP';
      case 'EBADFD':
        return 'it is no file of a file system that is mounted';
      case 'ENOENT':
        return 'it is missing in the root that the program has; with optional: true there is nothing to allow then';
      case 'ELOOP':
        return 'links such as those in /proc/self/fd are not followed; give the descriptor';
      case 'EINVAL': {
        const rule = request.landlock!.rules?.find((one) => one.option === option);
        const names = rule === undefined ? '' : rightsOfFolders(rule.access.named);
        return names === '' ? undefined : `it is no folder, and only folders have the rights ${names}`;
      }
      default:
        return undefined;
    }
  },
};

export const landlock: Step = {
  name: 'landlock',
  options: ['landlock'],
  onlyWhenGiven: true,
  after: {
    'landlock rules': 'the ruleset is made there',
    noNewPrivileges: 'without CAP_SYS_ADMIN the kernel takes a ruleset only then',
    mounts: 'who is restricted in files can mount nothing',
    cwd: 'it is for the program',
  },

  check(given, request) {
    request.landlock = checkLandlock(given.landlock);
  },

  settle(request) {
    const given = request.landlock!;
    const version = new LandlockVersion();
    request.facts.push(version);
    // Where it has none, the call itself says why.
    if (version.abi < 0) return;
    settleVersion(request, given, version.abi);
    request.landlock = { ...given, abi: version.abi };
  },

  emit(writer, request) {
    const ruleset = request.untilExec.get('ruleset');
    if (ruleset === undefined) return;
    writer.about(this.name, 'landlock').add(call.landlock_restrict_self, ruleset);
    writer.add(call.close, ruleset);
  },

  hint(code) {
    if (code === 'EPERM') return 'needs noNewPrivileges, or CAP_SYS_ADMIN';
    return code === 'E2BIG' ? 'we are under 16 rulesets already, and there can be no more' : undefined;
  },
};
