// Types that are a fresh file system of the kernel's: made by fsopen(2), set up by fsconfig(2), mounted by fsmount(2).
import { integer, plainObject, string } from '../../check';
import { invalidArgType, invalidArgValue } from '../../errors/argument-error';
import type { Hint } from '../../errors/hint';
import { Flags } from '../../flags';
import { whyNoFreshProc } from '../../host/mount-table';
import { isInFirstUserNamespace } from '../../host/ourselves';
import { constants } from '../../kernel/constants';
import type { Slot } from '../../program/writer';
import type { Request } from '../../assembly/request';
import * as call from '../../assembly/calls';
import { type Attributes, attributeFields, checkAttributes, setAttributes } from './attributes';
import type { Given, MountType, Parts } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';

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

/** One without options of its own. */
function plain(fstype: string, presets: readonly Preset[], options: Option[], hint?: Parts['hint']): MountType {
  return {
    fields: ['create', ...attributeFields],
    check: (given, option) => ({
      ...parts(fstype, given, option, presets, options),
      // runc's CVE-2019-19921: what is read there is believed.
      noLink: true,
      ...(hint !== undefined && { hint }),
    }),
  };
}

function whyNoProc(code: string, request: Request): Hint | undefined {
  if (code !== 'EPERM') return undefined;
  const inNewUser = request.creates(Flags.NEWUSER);
  if (inNewUser && !request.creates(Flags.NEWPID) && !request.joinsAny(Flags.NEWPID))
    return 'a fresh proc needs an own pid namespace; add Flags.NEWPID';
  return inNewUser || !isInFirstUserNamespace() ? whyNoFreshProc() : undefined;
}

function whyNoSysfs(code: string, request: Request): string | undefined {
  if (code !== 'EPERM' || !request.creates(Flags.NEWUSER) || request.creates(Flags.NEWNET)) return undefined;
  return 'a fresh sysfs in a user namespace needs an own network namespace; add Flags.NEWNET, or bind that of the host';
}

function whyNoCgroup2(code: string, request: Request): string | undefined {
  if (code !== 'EPERM' || !request.creates(Flags.NEWUSER) || request.creates(Flags.NEWCGROUP)) return undefined;
  return 'a fresh cgroup2 in a user namespace needs an own cgroup namespace; add Flags.NEWCGROUP, or bind that of the host';
}

function whyNoMqueue(code: string, request: Request): string | undefined {
  if (code !== 'EPERM' || !request.creates(Flags.NEWUSER) || request.creates(Flags.NEWIPC)) return undefined;
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
  if (!/^[1-9]\d*[kmg]?$/i.test(text)) throw invalidArgValue(option, value, "must be bytes, or such as '64m'");
  return text;
}

export function checkMode(value: unknown, option: string): number {
  return integer(value, option, 0, 0o7777);
}

function checkOption(name: string, value: unknown, option: string): Option | undefined {
  if (value === true) return [string(name, option), true];
  if (value === false) return undefined;
  if (typeof value === 'number') return [string(name, option), String(integer(value, option))];
  if (typeof value === 'string') return [string(name, option), string(value, option)];
  throw invalidArgType(option, 'of type string, number or boolean', value);
}

export const filesystem: MountType = {
  fields: ['fstype', 'source', 'options', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const fstype = string(given['fstype'], `${option}.fstype`, { nonEmpty: true });
    const options: Option[] = [];
    if (given['source'] !== undefined) options.push(['source', string(given['source'], `${option}.source`)]);
    const own = given['options'] === undefined ? {} : plainObject(given['options'], `${option}.options`);
    for (const [name, value] of Object.entries(own)) {
      const checked = checkOption(name, value, `${option}.options.${name}`);
      if (checked !== undefined) options.push(checked);
    }
    const made = parts(fstype, given, option, [], options);
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
      hint: (code) => (code === 'ENODEV' ? `this kernel has no file system '${fstype}'` : undefined),
    };
  },
};
