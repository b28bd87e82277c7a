// `cwd` as a list: the first of several folders that can be entered, and the variable PWD that tells which.
import { array, path } from '../check';
import { invalidArgValue } from '../errors/argument-error';
import type { Place, Writer } from '../program/writer';
import * as call from '../assembly/calls';

/** With its NUL byte, see PATH_MAX in limits.h. */
const longestPath = 4096;
const variable = 'PWD=';

export function checkFolders(value: unknown): readonly string[] {
  const folders = array(value, 'cwd').map((folder, index) => path(folder, `cwd[${index}]`));
  if (folders.length === 0) throw invalidArgValue('cwd', folders, 'must name at least one directory');
  return folders;
}

/** Enters one of them. @returns where PWD is then, as one of the environment's variables */
export function enterFirst(writer: Writer, folders: readonly string[]): Place {
  const jumps: number[] = [];
  folders.forEach((folder, index) => {
    writer.about('cwd', 'cwd', index).subject(folder);
    writer.add(call.chdir, writer.addText(folder));
    if (index === folders.length - 1) return;
    writer.skipAny(1);
    jumps.push(writer.count);
    writer.jump(0);
  });
  for (const jump of jumps) writer.landHere(jump);
  const text = writer.reserve(variable.length + longestPath);
  writer.data.write(variable, text, 'latin1');
  writer.about('cwd', 'cwd').add(call.getcwd, text + variable.length, longestPath);
  return text;
}

/** The variables but the one that {@link enterFirst} makes. */
export function withoutFolder(variables: readonly string[]): readonly string[] {
  return variables.filter((one) => !one.startsWith(variable));
}
