// The tables of docs/threads.md: each cell is measured, in a process that is root of namespaces of its own.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { needing } from '../support/capability';
import { evaluate, mayOwn } from '../support/own-process';
import { read } from './documents';

/** The rows of the tables, each with its columns by name. */
type Table = Readonly<Record<string, Readonly<Record<string, string>>>>;

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());

const tables: Table[] = Array.from(
  read('docs/threads.md').matchAll(/^\|.*\|\n\| ---.*\n((?:\|.*\|\n)+)/gm),
  (match) => {
    const [, ...columns] = cellsOf(match[0].split('\n')[0]!);
    const rows = match[1]!.trimEnd().split('\n').map(cellsOf);
    return Object.fromEntries(
      rows.map(([name, ...cells]) => [name!, Object.fromEntries(cells.map((cell, i) => [columns[i]!, cell]))]),
    );
  },
);
const [kinds, moves, sockets] = tables as [Table, Table, Table];

/** What a column of a table says. */
const column = (table: Table, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(table).map(([row, cells]) => [row, cells[name]!]));

const measuring = needing(mayOwn && spawnSync('ip', ['-V']).error === undefined, 'user namespaces and ip(8)');

const user = process.getuid!() === 0 ? [] : ['--user', '--map-root-user'];
/** No address in its network, and a /proc of its own. */
const own = '--net --uts --ipc --cgroup --mount --mount-proc --pid --fork --kill-child'.split(' ');
const wrapper = ['unshare', ...user, ...own];

/** Loaded by scripts, and by Workers in them. */
const measures = JSON.stringify(join(__dirname, 'threads.measures.js'));
const measured = <T>(call: string): T => evaluate<T>(`return require(${measures}).${call};`, wrapper);

test('there are three tables', () => {
  expect(tables).toHaveLength(3);
  expect(Object.keys(kinds)).toEqual(['`unshare()`', '`setns()`', '`runIn()`', '`NamespaceWorker`', '`clone()`']);
});

describe('which kinds are taken', () => {
  for (const [call, cells] of Object.entries(kinds)) {
    measuring(`by ${call}`, () => {
      const name = /\w+/.exec(call)![0];
      const says = Object.entries(cells).flatMap(([header, cell]) => header.split(', ').map((kind) => [kind, cell]));
      const seen = measured(`kindsOf('${name}', ${JSON.stringify(says.map(([kind]) => kind))})`);
      expect(seen).toEqual(Object.fromEntries(says));
    });
  }
});

describe('what moves', () => {
  /** A cell with a dash is no question. */
  const asked = (says: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(says).filter(([, cell]) => cell !== '–'));

  for (const [call, name] of [
    ['unshare', '`unshare()`, `setns()`'],
    ['setns', '`unshare()`, `setns()`'],
    ['runIn', '`runIn()`'],
    ['NamespaceWorker', '`NamespaceWorker`'],
  ] as const) {
    measuring(`with ${call} of net, uts, ipc and cgroup`, () => {
      const says = column(moves, name);
      const others = withoutNames(says);
      const seen = measured(`moves('${call}', ['net', 'uts', 'ipc', 'cgroup'])`);
      expect(seen).toEqual({ net: says, uts: others, ipc: others, cgroup: others });
    });
  }

  for (const call of ['unshare', 'setns']) {
    measuring(`with ${call}() of mnt`, () => {
      const says = asked(column(moves, 'of mnt'));
      const lookup = measured<string>('lookupWithoutHosts()');
      const [[name]] = Object.entries(says).filter(([row]) => row.startsWith('`dns.lookup`')) as [[string, string]];
      const { mnt } = measured<Record<string, object>>(`moves('${call}', ['mnt'])`);
      expect({ ...mnt, [name]: lookup }).toEqual(says);
    });
  }

  measuring('with setns() of pid', () => {
    expect(measured(`moves('setns', ['pid'])`)).toEqual({ pid: asked(column(moves, 'of pid')) });
  });

  measuring('with unshare() of pid: a second child cannot be started when the first has ended', () => {
    expect(measured(`afterFirstChild()`)).toEqual(['1', 'ENOMEM', 'back']);
  });

  function withoutNames(says: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(says).filter(([row]) => !row.startsWith('`dns.')));
  }
});

measuring('where the sockets are that a function makes', () => {
  expect(measured('sockets()')).toEqual(column(sockets, 'its socket is'));
});
