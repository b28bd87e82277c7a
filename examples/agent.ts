// npm run agent -- [OPTION…] COMMAND [ARGUMENT…]: a command of somebody else that may change one folder, and reach a few hosts.
import { constants } from 'node:os';
import { join } from 'node:path';

import { clone, type CloneOptions, type ExitStatus, Flags, type Mount, SyscallError } from 'nsclone';

import { Changes, lineOf } from './agent-changes';
import { type Order, readOrder, usage, UsageError } from './agent-order';
import { proxyAddress, serveProxy } from './agent-proxy';
import { denied, filter } from './filter';

function mounts({ project, home, homeFiles }: Order, changes: Changes | undefined): Mount[] {
  const shown = homeFiles.map((name) => ({ source: join(home, name), target: join(home, name) }));
  return [
    { type: 'proc', target: '/proc', readonly: true },
    { type: 'dev', target: '/dev' },
    // Whoever sees a socket may connect to it, however read-only the mount is: these two are where daemons have theirs.
    { type: 'tmpfs', target: '/tmp', mode: 0o1777 },
    { type: 'tmpfs', target: '/run' },
    { type: 'tmpfs', target: home, mode: 0o700, create: true },
    ...shown.map((file): Mount => ({ type: 'bind', ...file, readonly: true, create: true })),
    changes?.mount ?? { type: 'bind', source: project, target: project, nosuid: true, nodev: true, create: true },
  ];
}

function optionsOf(order: Order, changes: Changes | undefined): CloneOptions<'inherit'> {
  const proxied = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].map((name) => [name, proxyAddress]);
  const passed = ['PATH', 'HOME', 'USER', 'LANG', 'TERM', ...order.env].map((name) => [name, process.env[name]]);
  return {
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWUTS | Flags.NEWCGROUP,
    // Root's own files are root's, and nobody else's: it has no capability to reach further.
    uidMap: 'keep',
    gidMap: 'keep',
    loopback: true,
    root: { type: 'bind', source: '/', readonly: true },
    mounts: mounts(order, changes),
    cwd: order.project,
    init: true,
    capabilities: [],
    noNewPrivileges: true,
    seccomp: filter(denied),
    keyring: 'new',
    env: Object.fromEntries([...passed, ...proxied]) as Record<string, string | undefined>,
    stdio: 'inherit',
    // A session of its own: whose controlling terminal is ours could type into it (TIOCSTI, CVE-2017-5226).
    detached: true,
    timeout: order.seconds * 1000,
    // To pid 1, with which all the others end.
    killSignal: 'SIGKILL',
    parentDeathSignal: 'SIGKILL',
  };
}

async function runCommand(order: Order, changes: Changes | undefined): Promise<ExitStatus> {
  const setup = new AbortController();
  let forward: (name: NodeJS.Signals) => unknown = () => setup.abort();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => forward(name));
  const options = { ...optionsOf(order, changes), hold: true, signal: setup.signal };
  await using child = await clone(order.command, order.args, options);
  forward = (name) => child.kill(name);
  const closeProxy = await serveProxy(child, order.allow);
  try {
    await child.start();
    return await child.exited;
  } finally {
    closeProxy();
  }
}

async function run(order: Order): Promise<ExitStatus> {
  if (!order.dryRun) return runCommand(order, undefined);
  await using layer = new Changes(order.project);
  const status = await runCommand(order, layer);
  const changes = await layer.read();
  for (const change of changes) console.error(lineOf(change));
  if (order.keep) layer.keep(changes);
  return status;
}

/** As env(1) and docker(1) have it: 127 there is no such command, 126 it cannot be executed, 125 something else of ours. */
function codeOf(error: unknown): number {
  if (!(error instanceof SyscallError) || error.step !== 'command') return 125;
  return error.code === 'ENOENT' ? 127 : 126;
}

async function main(): Promise<void> {
  try {
    const order = readOrder(process.argv.slice(2));
    const { code, signal, endedBy } = await run(order);
    if (endedBy === 'timeout') console.error(`agent: not done within ${order.seconds} s`);
    process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    console.error(`agent: ${(error as Error).message}`);
    if (error instanceof UsageError) console.error(usage);
    process.exitCode = codeOf(error);
  }
}

void main();
