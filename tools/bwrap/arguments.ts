// How bubblewrap's arguments are read: the options in their order, those of a file among them, and what they are to hold.
import { Line } from './line';
import { options, type Pending } from './options';
import { checkFilters, contentOf, filterOf } from './values';
import { refusal } from './words';

const mostArguments = 9000;
const modifiers = ['--perms', '--size'];
const counted = ['', 'an argument', 'two arguments', 'three arguments'];
const afterLayers =
  '--overlay-src must be followed by another --overlay-src or one of --overlay, --tmp-overlay, or --ro-overlay';

/** What was to come did not. */
function refusePending(option: string, { mode, size: bytes, layers }: Pending): void {
  if (!modifiers.includes(option)) {
    if (mode !== undefined) throw refusal('--perms must be followed by an option that creates a file');
    if (bytes !== undefined) throw refusal('--size must be followed by --tmpfs');
  }
  if (option !== '--overlay-src' && layers.length > 0) throw refusal(afterLayers);
}

/** @returns what follows the options */
function readOptions(
  argv: readonly string[],
  line: Line,
  inFile: boolean,
  total: { count: number },
  pending: Pending,
): readonly string[] {
  const readMore = (args: readonly string[]): void => {
    total.count += args.length;
    // Where the options end in it, so does the file.
    readOptions(args, line, true, total, pending);
  };
  if (total.count > mostArguments) throw refusal(`Exceeded maximum number of arguments ${mostArguments}`);
  let at = 0;
  while (at < argv.length && line.asksFor === undefined) {
    const name = argv[at]!;
    if (name === '--') return argv.slice(at + 1);
    if (!name.startsWith('-')) break;
    const option = Object.hasOwn(options, name) ? options[name]! : undefined;
    if (option === undefined) throw refusal(`Unknown option ${name}`);
    const count = option.values === '' ? 0 : option.values.split(' ').length;
    const values = argv.slice(at + 1, at + 1 + count);
    if (values.length < count) {
      throw refusal(name === '--overlay-src' ? afterLayers : (option.lacking ?? `${name} takes ${counted[count]}`));
    }
    // What Node has made of other bytes is the name of something else.
    if (values.some((value) => value.includes('\ufffd'))) throw refusal(`${name} takes UTF-8`);
    option.read(values, { line, pending, readMore: inFile ? undefined : readMore, option: name });
    if (line.asksFor === undefined) refusePending(name, pending);
    at += count + 1;
  }
  return argv.slice(at);
}

/**
 * Reads a line, and what those descriptors hold that are read with it: `--args`, `--add-seccomp-fd`.
 * @throws TypeError ERR_INVALID_ARG_VALUE
 */
export function readLine(argv: readonly string[], warnings: string[], handed?: readonly number[]): Line {
  const line = new Line(warnings, handed);
  const pending: Pending = { mode: undefined, size: undefined, layers: [] };
  line.command = readOptions(argv, line, false, { count: argv.length }, pending);
  if (line.asksFor !== undefined) return line;
  if (pending.layers.length > 0) throw refusal(afterLayers);
  return line;
}

/** Reads what the files that the line makes are to have, and its filter. */
export function readContents(line: Line): void {
  for (const operation of line.operations) {
    if (operation.fd === undefined || operation.mode === undefined) continue;
    operation.content = contentOf(operation.fd, `Can't write data to file ${operation.dest}`, line);
  }
  const single = line.descriptors.get('seccomp');
  if (single !== undefined) line.filters.push(filterOf(single, line));
  checkFilters(line.filters);
}

/** `--help`. */
export function usage(name: string): string {
  const rows = Object.entries(options).map(([option, { values, help }]): [string, string] => [
    `${option} ${values}`,
    help,
  ]);
  const width = Math.max(...rows.map(([left]) => left.length));
  const list = rows.map(([left, help]) => `    ${left.padEnd(width)} ${help}\n`);
  return `usage: ${name} [OPTIONS...] [--] COMMAND [ARGS...]\n\n${list.join('')}`;
}
