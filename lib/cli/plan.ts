// `nsclone plan`: what another command would do, without doing it.
import type { RawCommand } from './command';

const help = `Usage: nsclone plan bwrap [OPTIONS...] [--] COMMAND [ARGS...]

Prints a line of bubblewrap as a call of clone(), and the system calls that it comes to. Nothing is started.
`;

export const plan: RawCommand = {
  summary: 'what a line of bwrap would do, as options and as system calls',

  async run([of, ...argv]) {
    if (of === '--help' || of === '-h') {
      process.stdout.write(help);
      return 0;
    }
    if (of === 'bwrap') return (await import('../../tools/bwrap/command.js')).planBwrap(argv);
    process.stderr.write(
      `nsclone plan: ${of === undefined ? 'a command is missing' : 'it knows bwrap alone'}; see nsclone plan --help\n`,
    );
    return 2;
  },
};
