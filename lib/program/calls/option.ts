// Names of parts of arguments, for errors.
import { bareName } from '../../errors/argument-error';

/** A part of an argument: 'bind[1] argument' and '.port' make 'bind[1].port argument'. */
export function part(option: string, suffix: string): string {
  return `${bareName(option)}${suffix} argument`;
}
