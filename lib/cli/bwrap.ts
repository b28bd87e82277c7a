// `nsclone bwrap`: bubblewrap's command line. What it is made of is loaded when it is asked for.
import { resolve } from 'node:path';

import type { RawCommand } from './command';

export const bwrap: RawCommand = {
  summary: "a sandbox, by bubblewrap's own options",

  async run(argv, name) {
    const again = [process.execPath, resolve(process.argv[1]!), ...(name.startsWith('nsclone ') ? ['bwrap'] : [])];
    return (await import('../../tools/bwrap/command.js')).runBwrap(argv, { name, again });
  },
};
