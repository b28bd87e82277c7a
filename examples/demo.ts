// npm run demo: a shell in seven new namespaces, what it sees beside what we see, and what such a start costs.
import { spawn } from 'node:child_process';

import { clone, type CloneOptions, Flags, isArgumentError, SyscallError } from 'nsclone';

import { type Cost, costOfClone, costOfUnshare, medianOf } from './cost';
import { look, readWorld } from './world';

const options: CloneOptions = {
  flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC | Flags.NEWCGROUP,
  uidMap: 'root',
  gidMap: 'root',
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
  stdio: ['ignore', 'pipe', 'inherit'],
};
const runs = 20;

function printTable(rows: readonly (readonly string[])[]): void {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]!.length));
  const widths = rows[0]!.map((_, column) => width(column));
  for (const row of rows) {
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('   ')}`.trimEnd());
  }
}

async function compareWorlds(): Promise<void> {
  const begin = performance.now();
  const child = await clone('/bin/sh', ['-c', look], options);
  const running = performance.now() - begin;
  console.log(`/bin/sh is process ${child.pid} to us; the first clone() took ${milliseconds(running)} until it ran.\n`);
  const inside = await readWorld(child);
  const { code, signal } = await child.exited;
  if (code !== 0) throw new Error(`the shell ended with ${code ?? signal}`);

  const outside = await readWorld(spawn('/bin/sh', ['-c', look], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const names = [...outside.keys()];
  printTable([['', 'outside', 'inside'], ...names.map((name) => [name, outside.get(name)!, inside.get(name)!])]);
}

async function compareCosts(): Promise<void> {
  const ours = await medianOf(() => costOfClone(options), runs);
  const theirs = await medianOf(costOfUnshare, runs).catch(() => undefined);
  const row = (name: string, of: (cost: Cost) => number): string[] => {
    const cells = [ours, theirs].filter((cost) => cost !== undefined).map((cost) => milliseconds(of(cost)));
    return [name, ...cells];
  };
  console.log(`\nA shell that prints one line, median of ${runs} starts:\n`);
  printTable([
    ['', 'clone()', ...(theirs === undefined ? [] : ["spawn('unshare', …)"])],
    row('the call holds the event loop for', ({ held }) => held),
    row('call → the command is known to run', ({ running }) => running),
    row('call → its output is here', ({ printed }) => printed),
    row('call → it has ended', ({ ended }) => ended),
  ]);
  if (theirs === undefined)
    console.log('\nunshare(1) is not installed, or may not do this here: nothing to compare with.');
}

function milliseconds(value: number): string {
  return Number.isNaN(value) ? 'nobody tells' : `${value.toFixed(2)} ms`;
}

async function main(): Promise<void> {
  try {
    await compareWorlds();
    await compareCosts();
  } catch (error) {
    if (!(error instanceof SyscallError) && !isArgumentError(error)) throw error;
    console.error(`This host does not allow the demo. ${error.message}`);
    process.exitCode = 1;
  }
}

void main();
