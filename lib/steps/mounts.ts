// Step `mounts`: what is mounted and made, in the given order.
import { posix } from 'node:path';

import { array, boolean, oneOf, plainObject, string } from '../check';
import { invalidArgValue, refusedOption } from '../errors/argument-error';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { needs, whyNotJoined } from '../assembly/needs';
import type { Slot, Writer } from '../program/writer';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import type { Checked } from '../assembly/mount-type';
import { Place } from '../assembly/place';
import { isTop, whyNotPlaced } from '../assembly/target';
import { whyNotHeld } from '../assembly/held-file';
import { isInFirstUserNamespace } from '../host/ourselves';
import { attachAsRoot, checkPropagation, keepPropagation } from './mounts/attributes';
import { becomesRoot, chooseBeforeRoot, makeBeforeRoot, makeMount, whyNotPlain } from './mounts/before-root';
import { settleMapped, whyNotMapped } from './mounts/idmap';
import { rootTypes, types } from './mounts/types';

const { O_DIRECTORY, O_NOFOLLOW, O_PATH } = constants;

const names = Object.keys(types);

/** Whether a type mounts something, which has attributes then. */
function isMount(type: string): boolean {
  return types[type]!.fields.includes('propagation');
}

/** Checks an entry. @param option 'mounts[0]' */
function checkEntry(value: unknown, option: string): Checked {
  // The type first: which fields there are depends on it.
  const type = oneOf(plainObject<'type'>(value, option).type, `${option}.type`, names);
  const kind = types[type]!;
  const given = plainObject(value, option, ['type', 'target', 'optional', ...kind.fields]);
  const path = string(given['target'], `${option}.target`, { nonEmpty: true });
  if (!path.startsWith('/')) throw invalidArgValue(`${option}.target`, path, 'must be an absolute path');
  // What leads to the root is the root, however it is written.
  const target = posix.normalize(path);
  const is = (name: string): boolean => given[name] !== undefined && boolean(given[name], `${option}.${name}`);
  const optional = is('optional');
  if (isTop(target) && kind.isRoot !== true && (isMount(type) || kind.hides === true)) {
    throw invalidArgValue(`${option}.target`, path, `cannot be the root: only types ${rootTypes.join(', ')} can`);
  }
  if (isTop(target) && kind.isRoot === true && optional) {
    throw refusedOption(
      `${option}.optional`,
      'says nothing of the root: without it there is no place for what follows',
    );
  }
  const propagation = checkPropagation(given, option);
  return {
    type,
    target,
    isMount: isMount(type),
    isNoexec: given['noexec'] === true,
    optional,
    creates: is('create'),
    propagation,
    ...kind.check(given, option),
  };
}

/** What errors of its instructions name. */
function nameEntry(writer: Writer, { type, source, detail, target }: Checked): void {
  writer.subject(source ?? target, target, isMount(type) ? 'mount' : type);
  if (detail !== undefined) writer.detail(detail);
}

function emitMount(place: Place, entry: Checked, request: Request, prepared: readonly Slot[]): void {
  const mount = makeMount(place, request, entry, prepared);
  if (isTop(entry.target)) return attachAsRoot(place, mount, entry);
  if (entry.creates) entry.create!(place, entry.target, mount);
  const target = place.open(entry.target, entry.noLink === true ? O_PATH | O_DIRECTORY | O_NOFOLLOW : O_PATH);
  place.leaveIfMissing();
  place.attach(mount, target);
  keepPropagation(place.writer, mount, entry.propagation);
  place.close(mount);
  place.close(target);
}

/** Of a target, which is opened last, or of a folder on the way, which was made before that if it was not there. */
function whyMissing({ type, creates, makes }: Checked): string {
  if (creates || makes === true) return 'a link on the way to the target leads to nothing';
  return types[type]!.fields.includes('create')
    ? 'the target is missing; create: true makes it'
    : 'the target is missing; with optional: true there is nothing to do then';
}

/** See mount_namespaces(7). */
function whyLocked(request: Request): string | undefined {
  if (!request.creates(Flags.NEWUSER) && !request.joinsUser && isInFirstUserNamespace()) return undefined;
  return 'in a user namespace what a mount of the host forbids stays so, and how access times are written cannot be changed';
}

export const mounts: Step = {
  name: 'mounts',
  options: ['mounts'],
  onlyWhenGiven: true,
  after: {
    propagation: 'a mount made while mounts are shared would appear on the host',
    root: 'they are made in it',
  },

  check(given, request) {
    request.mounts = array(given.mounts, 'mounts').map((mount, index) => checkEntry(mount, `mounts[${index}]`));
  },

  settle(request) {
    if (request.mounts.length === 0) return;
    needs(request, 'mounts', Flags.NEWNS, 'without it the host would get the mounts');
    request.mounts.forEach((entry, index) => entry.settle?.(request, `mounts[${index}]`, entry.target));
    settleMapped(request);
    if (request.mounts.some(becomesRoot)) request.changesRoot = true;
    chooseBeforeRoot(request);
  },

  emit(writer, request) {
    if (request.mounts.length === 0) return;
    // Where no root is given, the slots are what an earlier writing has left.
    if (request.root === undefined) request.rootSlot = request.earlySlots = undefined;
    const place = new Place(writer.about(this.name, 'mounts'), request.rootSlot);
    // What is made has the permissions that it is to have.
    const makes = request.mounts.some((entry) => entry.creates || entry.make === undefined);
    const umask = makes ? writer.add(call.umask, 0).keep() : undefined;
    const prepared = request.mounts.map((entry, index) => {
      writer.about(this.name, 'mounts', index).subject(entry.source, undefined, 'mount');
      return entry.prepare?.(place, request) ?? [];
    });
    const firstRoot = request.root === undefined ? request.mounts.findIndex(becomesRoot) : -1;
    for (let index = 0; index < request.mounts.length; index++) {
      const entry = request.mounts[index]!;
      // The last moment at which paths lead where they lead on the host, with all that was mounted until then.
      if (index === firstRoot) makeBeforeRoot(place, request);
      nameEntry(writer.about(this.name, 'mounts', index), entry);
      place.beginEntry(entry.optional);
      // Closed as well where the entry is left out.
      for (const slot of prepared[index]!) place.take(slot);
      if (entry.make === undefined) entry.emit!(place, entry.target, request, prepared[index]!);
      else emitMount(place, entry, request, prepared[index]!);
      place.endEntry();
    }
    writer.about(this.name, 'mounts');
    if (umask !== undefined) writer.add(call.umaskOf, umask);
    place.end();
    if (place.isNew) request.rootSlot = place.root;
  },

  hint(code, label, request, syscall) {
    const entry = request.mounts[Number(/\[(\d+)\]/.exec(label.option ?? '')?.[1])];
    const own =
      whyNotJoined(code, request, Flags.NEWNS) ??
      whyNotHeld(code, label, entry?.held) ??
      whyNotMapped(code, label, request, syscall) ??
      entry?.hint?.(code, request, syscall);
    if (own !== undefined || entry === undefined) return own;
    if (code === 'EOVERFLOW')
      return 'who makes it has an id that has no place in the user namespace; see uidMap and gidMap';
    if (code === 'EROFS' && (entry.creates || entry.makes === true))
      return "what the target is made in is read-only by then: make it before, and that read-only by a later entry { type: 'readonly', recursive: false }; in a bind it is then made in the source";
    const misplaced = whyNotPlaced(code, syscall);
    if (misplaced !== undefined) return misplaced;
    if (code === 'EPERM' && syscall === 'mount_setattr') return whyLocked(request);
    if (syscall !== 'openat2') return undefined;
    if (label.dest === undefined) return whyNotPlain(code);
    if (code === 'EXDEV') return 'a link of /proc on the way to the target leads to an open file, and not along a path';
    if (code === 'ENOENT') return whyMissing(entry);
    if (code === 'ENOTDIR' && entry.noLink === true)
      return 'a file system of the kernel is mounted on a directory, and on no link to one';
    return undefined;
  },
};
