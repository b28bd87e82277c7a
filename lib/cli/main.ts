// The command `nsclone`; called `bwrap`, by a link, it is that one.
import { basename } from 'node:path';

import { execute, rawCommand } from './commands';
import type { Output } from './command';

/** See https://no-color.org */
function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}

function to(stream: NodeJS.WriteStream): Output {
  // Who has read enough may close it.
  stream.on('error', ({ code }: NodeJS.ErrnoException) => code === 'EPIPE' || process.exit(1));
  return { write: (text) => void stream.write(text), hasColours: hasColours(stream) };
}

const [, path = '', ...argv] = process.argv;
const isBwrap = basename(path) === 'bwrap';
const raw = rawCommand(isBwrap ? 'bwrap' : argv[0]);
const done =
  raw === undefined
    ? execute(argv, to(process.stdout), to(process.stderr))
    : // The streams stay as they were, as they are those of whoever is started.
      raw.run(isBwrap ? argv : argv.slice(1), isBwrap ? path : `nsclone ${argv[0]}`);
void done.then((code) => (process.exitCode = code));
