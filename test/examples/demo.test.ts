// The demo: what it prints, and what it says where it may not do it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { clone } from '../../lib/clone';
import { Flags } from '../../lib/flags';
import { slow } from '../support/slow';
import { buildExamples, example } from './built';

const demo = example('demo');

beforeAll(buildExamples);

function runDemo(env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [demo], {
    encoding: 'utf8',
    env,
    timeout: slow(25_000),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** The rows of the table whose head has this word: their cells, which stand in columns. */
function tableOf(output: string, word: string): Map<string, string[]> {
  const lines = output.split('\n');
  const head = lines.findIndex((line) => line.startsWith('    ') && line.includes(word));
  const columns = Array.from(lines[head]!.matchAll(/\S+(?: \S+)*/g), (match) => match.index);
  const end = lines.indexOf('', head);
  const cell = (line: string, index: number): string => line.slice(columns[index], columns[index + 1]).trim();
  return new Map(
    lines
      .slice(head + 1, end < 0 ? undefined : end)
      .map((line) => [line.slice(0, columns[0]).trim(), columns.map((_, index) => cell(line, index))]),
  );
}

const namespaces = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup'];

/** The table of the README, of which the numbers are another machine's. */
const documented = /^```text demo\n([^]*?)^```$/m.exec(readFileSync(join(__dirname, '../../README.md'), 'utf8'))![1]!;

describe('the demo', () => {
  let output = '';
  beforeAll(() => {
    output = runDemo();
  });

  test('tells of both worlds, side by side', () => {
    const worlds = tableOf(output, 'outside');
    const [outside, inside] = [0, 1].map(
      (side) => new Map(Array.from(worlds, ([name, cells]) => [name, cells[side]!])),
    );
    expect(outside!.get('user id')).toBe(String(process.geteuid!()));
    expect(outside!.get('hostname')).toBe(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim());
    expect(Object.fromEntries(inside!)).toMatchObject({
      'user id': '0',
      'group id': '0',
      'process id': '1',
      hostname: 'box',
      interfaces: 'lo',
      addresses: '127.0.0.1',
      processes: '1 (sh)',
    });
    for (const kind of namespaces) {
      const own = /\d+/.exec(readlinkSync(`/proc/self/ns/${kind}`))![0];
      expect([kind, outside!.get(`${kind} namespace`)]).toEqual([kind, own]);
      expect(inside!.get(`${kind} namespace`)).toMatch(/^\d+$/);
      expect(inside!.get(`${kind} namespace`)).not.toBe(own);
    }
  });

  test('tells what a start costs', () => {
    const costs = tableOf(output, 'clone()');
    expect(costs.size).toBe(4);
    const times = [...costs.values()].map(([ours]) => Number(/^(\d+\.\d\d) ms$/.exec(ours!)![1]));
    const [held, running, printed, ended] = times as [number, number, number, number];
    expect(held).toBeGreaterThan(0);
    for (const [earlier, later] of [
      [held, running],
      [running, printed],
      [running, ended],
    ] as const) {
      expect(earlier).toBeLessThanOrEqual(later);
    }
  });

  test('has the rows that the README shows', () => {
    expect([...tableOf(output, 'outside').keys()]).toEqual([...tableOf(documented, 'outside').keys()]);
    expect([...tableOf(output, 'clone()').keys()]).toEqual([...tableOf(documented, 'clone()').keys()]);
  });
});

test('without unshare(1) there is nothing to compare with', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nsclone-demo-'));
  try {
    for (const name of ['cat', 'readlink']) {
      symlinkSync(
        execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(),
        join(folder, name),
      );
    }
    const output = runDemo({ PATH: folder });
    expect(output).toContain('unshare(1) is not installed');
    expect([...tableOf(output, 'clone()').values()].every((cells) => cells.length === 1)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a host that forbids user namespaces is told of in one line, with the reason', async () => {
  // The limit of a user namespace holds for those made in it.
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$1"';
  const child = await clone('/bin/sh', ['-c', script, process.execPath, demo], {
    flags: Flags.NEWUSER,
    uidMap: 'root',
    gidMap: 'root',
  });
  const [stdout, stderr, { code }] = await Promise.all([text(child.stdout), text(child.stderr), child.exited]);
  expect(stderr).toMatch(/^This host does not allow the demo\. ENOSPC: .*user\.max_user_namespaces.*\n$/);
  expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
});
