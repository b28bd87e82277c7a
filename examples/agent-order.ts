// The command line of agent.ts: what it is told, checked.
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `usage: agent [OPTION…] COMMAND [ARGUMENT…]

  --project DIR      the folder that it may change (the working directory)
  --home-file NAME   a file or folder of the home folder that it sees, which is hidden else; may be repeated
  --allow HOST       a host, or HOST:PORT, that it may reach by the proxy; may be repeated
  --env NAME         a variable that it is given, beside a few that are harmless; may be repeated
  --dry-run          list its changes of the project, and drop them
  --keep             with --dry-run: make them after all
  --timeout SECONDS  end it, and all that it has started, after so long a time
`;

const flags = {
  project: { type: 'string' },
  'home-file': { type: 'string', multiple: true },
  allow: { type: 'string', multiple: true },
  env: { type: 'string', multiple: true },
  'dry-run': { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '0' },
} as const;

export class UsageError extends Error {}

export interface Order {
  readonly command: string;
  readonly args: readonly string[];
  readonly project: string;
  readonly home: string;
  readonly homeFiles: readonly string[];
  readonly allow: readonly string[];
  readonly env: readonly string[];
  readonly dryRun: boolean;
  readonly keep: boolean;
  readonly seconds: number;
}

export function readOrder(argv: string[]): Order {
  // What begins with a dash behind COMMAND is not for us.
  const { tokens } = parseArgs({ args: argv, options: flags, allowPositionals: true, strict: false, tokens: true });
  const end = tokens.find(({ kind }) => kind === 'positional')?.index ?? argv.length;
  const { values } = parseArgs({ args: argv.slice(0, end), options: flags });
  const [command, ...args] = argv.slice(end);
  if (command === undefined) throw new UsageError('COMMAND is needed');
  const { allow = [], env = [], keep, 'home-file': homeFiles = [], 'dry-run': dryRun } = values;
  if (keep && !dryRun) throw new UsageError('--keep is for --dry-run: without it changes are made at once');
  const seconds = Number(values.timeout);
  if (!(seconds >= 0 && seconds < 1e6)) throw new UsageError(`${values.timeout} cannot be a --timeout`);
  // npm starts us in the folder of the package.
  const project = realpathSync(resolve(process.env['INIT_CWD'] ?? '.', values.project ?? '.'));
  const home = realpathSync(homedir());
  if (`${home}/`.startsWith(join(project, '/'))) throw new UsageError(`the project would show all of ${home}`);
  if (home === '/') throw new UsageError('the home folder is /, which cannot be hidden');
  return { command, args, project, home, homeFiles, allow, env, dryRun, keep, seconds };
}
