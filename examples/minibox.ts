// npm run minibox -- [OPTION…] ROOT COMMAND [ARGUMENT…]: a command in a container of its own.
import { constants } from 'node:os';
import { parseArgs } from 'node:util';

import { clone, type ClonedProcess, type CloneOptions, type ExitStatus, plan, SyscallError } from 'nsclone';

import { type Box, optionsOf } from './box';
import { type Limits, makeGroup } from './box-limits';
import { connectNetwork } from './box-network';
import { connect, size } from './terminal';

const usage = `usage: minibox [OPTION…] ROOT COMMAND [ARGUMENT…]

  ROOT                  a folder with the files of a system, or host: the programs of this one; changes are thrown away
  --hostname NAME       what the container is called (box)
  --pty                 a terminal of its own, joined with ours
  --uid-map auto|root   the ids lent to our user as well, or our own alone as root (auto where there are some)
  --memory SIZE         the most memory, such as 64M
  --pids COUNT          the most processes
  --net                 a way between us, 10.200.0.1, and it, 10.200.0.2; takes root
  --plan                print what would be done, and do nothing
`;

const flags = {
  hostname: { type: 'string', default: 'box' },
  pty: { type: 'boolean', default: false },
  'uid-map': { type: 'string' },
  memory: { type: 'string' },
  pids: { type: 'string' },
  net: { type: 'boolean', default: false },
  plan: { type: 'boolean', default: false },
} as const;

class UsageError extends Error {}

interface Order {
  readonly box: Omit<Box, 'sysfs'>;
  readonly command: string;
  readonly args: readonly string[];
  readonly limits: Limits;
  readonly pty: boolean;
  readonly net: boolean;
  readonly plan: boolean;
}

function limit(file: string, value: string | undefined, form: RegExp): Limits {
  if (value === undefined) return {};
  if (!form.test(value)) throw new UsageError(`${value} cannot be a limit for ${file}`);
  return { [file]: value };
}

function readOrder(argv: string[]): Order {
  // What begins with a dash behind ROOT is not for us.
  const { tokens } = parseArgs({ args: argv, options: flags, allowPositionals: true, strict: false, tokens: true });
  const end = tokens.find(({ kind }) => kind === 'positional')?.index ?? argv.length;
  const { values } = parseArgs({ args: argv.slice(0, end), options: flags });
  const [root, command, ...args] = argv.slice(end);
  const ids = values['uid-map'];
  if (root === undefined || command === undefined) throw new UsageError('ROOT and COMMAND are needed');
  if (ids !== undefined && ids !== 'auto' && ids !== 'root') throw new UsageError(`no such --uid-map: ${ids}`);
  if (values.net && process.geteuid!() !== 0) throw new UsageError('--net takes root, as it changes our network');
  const limits = {
    ...limit('memory.max', values.memory, /^[1-9]\d*[kmg]?$/i),
    ...limit('pids.max', values.pids, /^[1-9]\d*$/),
  };
  const { hostname, pty, net, plan } = values;
  return { box: { root, hostname, ids }, command, args, limits, pty, net, plan };
}

/** Where our /sys has something mounted over it, as inside a container, the kernel refuses a fresh one. */
async function withSysfs<T>(box: Order['box'], start: (options: CloneOptions) => Promise<T>): Promise<T> {
  try {
    return await start(optionsOf({ ...box, sysfs: true }));
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'EPERM' && error.path === 'sysfs')) throw error;
    return start(optionsOf({ ...box, sysfs: false }));
  }
}

/** Until there is a child a signal ends its set-up, then it is for the child. */
function passSignals(): { readonly signal: AbortSignal; to(child: ClonedProcess): void } {
  const setup = new AbortController();
  let child: ClonedProcess | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => (child === undefined ? setup.abort() : child.kill(name)));
  return { signal: setup.signal, to: (started) => (child = started) };
}

async function runBox({ box, command, args, limits, pty, net }: Order): Promise<ExitStatus> {
  const signals = passSignals();
  const group = Object.keys(limits).length > 0 ? makeGroup(limits) : undefined;
  let disconnect: (() => Promise<void>) | undefined;
  const begin = async <C extends ClonedProcess>(child: C): Promise<C> => {
    signals.to(child);
    if (!net) return child;
    try {
      disconnect = await connectNetwork(child);
      await child.start();
      return child;
    } catch (error) {
      child.kill('SIGKILL');
      await child.exited;
      throw error;
    }
  };
  try {
    return await withSysfs(box, async (ofBox) => {
      const options = { ...ofBox, cgroup: group?.folder, hold: net, signal: signals.signal };
      if (pty) return connect(await begin(await clone(command, args, { ...options, stdio: undefined, pty: size })));
      return (await begin(await clone(command, args, { ...options, stdio: 'inherit' }))).exited;
    });
  } finally {
    await disconnect?.();
    group?.remove();
  }
}

/** As env(1) and docker(1) have it: 127 there is no such command, 126 it cannot be executed, 125 something else of ours. */
function codeOf(error: unknown): number {
  if (!(error instanceof SyscallError) || error.step !== 'command') return 125;
  return error.code === 'ENOENT' ? 127 : 126;
}

async function main(): Promise<void> {
  try {
    const order = readOrder(process.argv.slice(2));
    if (order.plan) {
      console.log(String(plan(order.command, order.args, optionsOf({ ...order.box, sysfs: true }))));
      return;
    }
    const { code, signal } = await runBox(order);
    process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    console.error(`minibox: ${(error as Error).message}`);
    if (error instanceof UsageError) console.error(usage);
    process.exitCode = codeOf(error);
  }
}

void main();
