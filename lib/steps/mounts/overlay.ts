// Type `overlay`: directories laid over each other. Each is told to the kernel by itself, so that no name needs an escape.
import { resolve } from 'node:path';

import { array, string } from '../../check';
import { invalidArgValue, refusedOption } from '../../errors/argument-error';
import { Flags } from '../../flags';
import { isInFirstUserNamespace } from '../../host/ourselves';
import type { Slot } from '../../program/writer';
import type { Request } from '../../assembly/request';
import * as call from '../../assembly/calls';
import { attributeFields, checkAttributes, noAttributes } from './attributes';
import { newFileSystem, type Option } from './file-systems';
import type { MountType } from '../../assembly/mount-type';
import type { Place } from '../../assembly/place';

const absolute = (value: unknown, option: string): string => resolve(string(value, option, { nonEmpty: true }));

/** The kernel takes a backslash in these two for an escape, and in no lower one. */
const escaped = (path: string): string => path.replaceAll('\\', '\\\\');

/**
 * Directories that nobody else ever sees: they have no place in any tree, and go with the descriptor where nothing uses them. Their
 * parent is the working directory afterwards.
 */
export function enterMemory(place: Place, names: readonly string[], options: readonly Option[] = []): Slot {
  const { writer } = place;
  place.keepWorkingDirectory();
  const memory = newFileSystem(place, 'tmpfs', options, noAttributes);
  for (const name of names) writer.add(call.mkdiratOf, memory, writer.addText(name), 0o755);
  writer.add(call.fchdir, memory);
  return memory;
}

/** What hides and marks files there are trusted attributes, which only the host's root may write. */
export function marking(request: Request): readonly Option[] {
  const isOwnRoot = !request.creates(Flags.NEWUSER) && !request.joinsUser && isInFirstUserNamespace();
  return isOwnRoot ? [] : [['userxattr', true]];
}

/** What a failure of one means. */
export function whyNoLayers(code: string, _request: Request, syscall: string | undefined): string | undefined {
  if (syscall !== 'fsconfig') return undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'one of the layers is missing, or no directory';
  return code === 'EINVAL'
    ? 'each layer must be a directory, upper and work on one file system that has extended attributes, and layers one by one need Linux 6.7'
    : undefined;
}

export const overlay: MountType = {
  fields: ['lower', 'upper', 'work', 'create', ...attributeFields],
  isRoot: true,

  check(given, option) {
    const lower = array(given['lower'], `${option}.lower`).map((path, i) => absolute(path, `${option}.lower[${i}]`));
    if (lower.length === 0) throw invalidArgValue(`${option}.lower`, lower, 'must have at least one directory');
    const inMemory = given['upper'] === 'tmpfs';
    const upper = given['upper'] === undefined || inMemory ? undefined : absolute(given['upper'], `${option}.upper`);
    const work = given['work'] === undefined ? undefined : absolute(given['work'], `${option}.work`);
    if ((upper === undefined) !== (work === undefined)) {
      throw refusedOption(
        `${option}.work`,
        upper === undefined
          ? "needs upper, which is no 'tmpfs'"
          : 'is needed beside upper: an empty directory on the same file system',
      );
    }
    const attributes = checkAttributes(given, option, [], false);
    return {
      source: lower.join(':'),
      make(place, request: Request) {
        const ways: [string, string | true][] = lower.map((path) => ['lowerdir+', path]);
        let memory: Slot | undefined;
        if (inMemory) {
          memory = enterMemory(place, ['upper', 'work']);
          ways.push(['upperdir', 'upper'], ['workdir', 'work']);
        } else if (upper !== undefined) {
          ways.push(['upperdir', escaped(upper)], ['workdir', escaped(work!)]);
        } else if (lower.length === 1) {
          // The kernel wants two: an empty one, below all.
          memory = enterMemory(place, ['empty']);
          ways.push(['lowerdir+', 'empty']);
        }
        const mount = newFileSystem(place, 'overlay', [...ways, ...marking(request)], attributes);
        if (memory !== undefined) place.close(memory);
        return mount;
      },
      create: (place, target) => place.makeDirectory(target),
      hint: whyNoLayers,
    };
  },
};
