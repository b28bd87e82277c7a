// The command `nsclone`.
import { execute } from './commands';
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

void execute(process.argv.slice(2), to(process.stdout), to(process.stderr)).then((code) => (process.exitCode = code));
