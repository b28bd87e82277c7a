// Types that are a fresh file system of the kernel's: made by fsopen(2), set up by fsconfig(2), mounted by fsmount(2).
import type { NamespaceKind } from '../../../types/flags';
import { integer, plainObject, string } from '../../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../../errors/argument-error';
import type { Hint } from '../../errors/hint';
import { Flags } from '../../flags';
import { host } from '../../host/host';
import { whyNoFreshProc } from '../../host/mount-table';
import { holds, isInFirstUserNamespace } from '../../host/ourselves';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import type { Request } from '../../assembly/request';
import * as call from '../../assembly/calls';
import { type Attributes, attributeFields, checkAttributes, setAttributes } from './attributes';
import type { Given, MountType, Parts } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';
import { isOwnWithinOurs } from '../../within-ours';

const { FSCONFIG_CMD_CREATE, FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } = constants;

/** An option of the file system itself; `true` for one without a value. */
export type Option = readonly [name: string, value: string | true];

/** Begins one, and tells where it is kept. */
export function beginFileSystem(place: Place, fstype: string): Slot {
  const { writer } = place;
  writer.add(call.fsopen, writer.addText(fstype), FSOPEN_CLOEXEC);
  return place.keep();
}

export function setOptions(place: Place, context: Slot, options: readonly Option[]): void {
  const { writer } = place;
  for (const [name, value] of options) {
    const text = writer.addText(name);
    if (value === true) writer.add(call.fsconfigFlag, context, FSCONFIG_SET_FLAG, text).explains();
    else writer.add(call.fsconfigText, context, FSCONFIG_SET_STRING, text, writer.addText(value)).explains();
    // A path of another file, which is looked up now or when all are there.
    place.leaveIfMissing();
  }
}

/** The mount of one that has all of its options. */
export function finishFileSystem(place: Place, context: Slot, attributes: Attributes): Slot {
  const { writer } = place;
  writer.add(call.fsconfig, context, FSCONFIG_CMD_CREATE).explains();
  place.leaveIfMissing();
  writer.add(call.fsmount, context, FSMOUNT_CLOEXEC, attributes.alone.set).explains();
  const mount = place.keep();
  place.close(context);
  // A new mount has nothing else set, and nothing below.
  setAttributes(writer, mount, { ...attributes, alone: { set: 0, clear: 0 } });
  return mount;
}

/** Makes one, and tells where it is kept. */
export function newFileSystem(place: Place, fstype: string, options: readonly Option[], attributes: Attributes): Slot {
  const context = beginFileSystem(place, fstype);
  setOptions(place, context, options);
  return finishFileSystem(place, context, attributes);
}

/** Those of which most file systems read the value as an octal number. */
const isOctal = (name: string): boolean => /mode$|^[dfu]mask$/.test(name);

function checkOption(name: string, value: unknown, option: string): Option | undefined {
  if (value === true) return [string(name, option), true];
  if (value === false) return undefined;
  if (typeof value === 'string') return [string(name, option), string(value, option)];
  if (typeof value !== 'number') throw invalidArgType(option, 'of type string, number or boolean', value);
  if (isOctal(name))
    throw invalidArgValue(
      option,
      value,
      "must be a string such as '0700': file systems differ in how they read the number",
    );
  return [string(name, option), String(integer(value, option))];
}

/**
 * Those that are given for the file system itself.
 * @param taken what the type has options for, and their names
 */
export function checkOptions(given: Given, option: string, taken: Readonly<Record<string, string>> = {}): Option[] {
  const { options } = given;
  if (options === undefined) return [];
  return Object.entries(plainObject(options, `${option}.options`)).flatMap(([name, value]) => {
    const own = Object.hasOwn(taken, name) ? taken[name] : undefined;
    if (own !== undefined) throw refusedOption(`${option}.options.${name}`, `is said by ${own}`);
    const checked = checkOption(name, value, `${option}.options.${name}`);
    return checked === undefined ? [] : [checked];
  });
}

type Preset = 'nosuid' | 'nodev' | 'noexec';
const all: readonly Preset[] = ['nosuid', 'nodev', 'noexec'];

/** What a type like this comes to. */
export function parts(
  fstype: string,
  given: Given,
  option: string,
  presets: readonly Preset[],
  options: Option[],
): Parts {
  const attributes = checkAttributes(given, option, presets, false);
  return {
    source: fstype,
    make: (place) => newFileSystem(place, fstype, options, attributes),
    create: (place, target) => place.makeDirectory(target),
  };
}

/** One that nothing but the kernel's own options is said of. */
function plain(fstype: string, presets: readonly Preset[], options: Option[], hint?: Parts['hint']): MountType {
  return {
    fields: ['options', 'create', ...attributeFields],
    check: (given, option) => ({
      ...parts(fstype, given, option, presets, [...options, ...checkOptions(given, option)]),
      // runc's CVE-2019-19921: what is read there is believed.
      noLink: true,
      ...(hint !== undefined && { hint }),
    }),
  };
}

/** The kernel mounts those for root of the user namespace alone that owns the namespace which they show. */
function lacksOwn(request: Request, flag: Flags, kind: NamespaceKind): boolean {
  if (request.creates(flag) || request.joinsAny(flag)) return false;
  if (request.creates(Flags.NEWUSER)) return true;
  if (request.joinsUser || isInFirstUserNamespace() || holds(constants.CAP_SYS_ADMIN) !== true) return false;
  return !isOwnWithinOurs(kind);
}

function whyNoProc(code: string, request: Request): Hint | undefined {
  if (code !== 'EPERM') return undefined;
  const inNewUser = request.creates(Flags.NEWUSER);
  if (lacksOwn(request, Flags.NEWPID, 'pid')) return 'a fresh proc needs an own pid namespace; add Flags.NEWPID';
  return inNewUser || !isInFirstUserNamespace() ? whyNoFreshProc() : undefined;
}

function whyNoSysfs(code: string, request: Request): string | undefined {
  if (code !== 'EPERM' || !lacksOwn(request, Flags.NEWNET, 'net')) return undefined;
  return 'a fresh sysfs in a user namespace needs an own network namespace; add Flags.NEWNET, or bind that of the host';
}

function whyNoCgroup2(code: string, request: Request): string | undefined {
  if (code !== 'EPERM' || !lacksOwn(request, Flags.NEWCGROUP, 'cgroup')) return undefined;
  return 'a fresh cgroup2 in a user namespace needs an own cgroup namespace; add Flags.NEWCGROUP, or bind that of the host';
}

function whyNoMqueue(code: string, request: Request): string | undefined {
  if (code !== 'EPERM' || !lacksOwn(request, Flags.NEWIPC, 'ipc')) return undefined;
  return 'a fresh mqueue in a user namespace needs an own ipc namespace; add Flags.NEWIPC, or bind that of the host';
}

export const proc = plain('proc', all, [], whyNoProc);
export const sysfs = plain('sysfs', all, [], whyNoSysfs);
export const mqueue = plain('mqueue', all, [], whyNoMqueue);
export const cgroup2 = plain('cgroup2', all, [], whyNoCgroup2);
export const devptsOptions: Option[] = [
  ['newinstance', true],
  ['ptmxmode', '0666'],
  ['mode', '0620'],
];
export const devpts = plain('devpts', ['nosuid', 'noexec'], devptsOptions);

/** @throws ArgumentError */
export function checkSize(value: unknown, option: string): string {
  if (typeof value === 'number') return String(integer(value, option, 1));
  const text = string(value, option);
  const [, count, unit = ''] = /^([1-9]\d*)([kmg]?)$/i.exec(text) ?? [];
  if (count === undefined) throw invalidArgValue(option, value, "must be bytes, or such as '64m'");
  const exponent = ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase());
  // The kernel takes what is left of it beyond 64 bits.
  if (Number(count) * 1024 ** exponent > Number.MAX_SAFE_INTEGER)
    throw invalidArgValue(option, value, 'must be less than 2^53 bytes');
  return text;
}

export function checkMode(value: unknown, option: string): number {
  return integer(value, option, 0, 0o7777);
}

function isInUserNamespace(request: Request): boolean {
  return request.creates(Flags.NEWUSER) || request.joinsUser || !isInFirstUserNamespace();
}

/** Whether it is one that the kernel reads from a device, see proc_filesystems(5). */
function isOfDisk(fstype: string): boolean {
  return host.read('/proc/filesystems')?.split('\n').includes(`\t${fstype}`) === true;
}

export const filesystem: MountType = {
  fields: ['fstype', 'source', 'options', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const fstype = string(given['fstype'], `${option}.fstype`, { nonEmpty: true });
    const from: Option[] = [];
    if (given['source'] !== undefined) from.push(['source', string(given['source'], `${option}.source`)]);
    const made = parts(fstype, given, option, [], [...from, ...checkOptions(given, option, { source: 'source' })]);
    const source = given['source'] as string | undefined;
    return {
      ...made,
      source: source ?? fstype,
      // Of a disk, of layers.
      looksUp: true,
      make(place, request, prepared) {
        place.goBack();
        return made.make!(place, request, prepared);
      },
      hint(code, request) {
        if (code === 'ENODEV') return `this kernel has no file system '${fstype}'`;
        return code === 'EPERM' && isInUserNamespace(request) && isOfDisk(fstype)
          ? `the kernel mounts disks for root of the host only, and no '${fstype}' in a user namespace`
          : undefined;
      },
    };
  },
};
