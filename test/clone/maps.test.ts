// Id maps in every form, from the options to what the program sees: who it is, and that it never runs before its maps are in place.
import { readFileSync } from 'node:fs';

import { clone, type CloneOptions, Flags, type IdMapping, plan } from '../../lib';
import { subordinateRanges, type SubordinateRange } from '../../lib/steps/subordinate-ids';
import { needing, rootOnly, userOnly } from '../support/capability';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const { NEWUSER } = Flags;
const uid = process.geteuid!();
const gid = process.getegid!();
const last = 2 ** 32 - 2;
const maps = ['uidMap', 'gidMap'] as const;

const range = (containerID: number, hostID: number, size = 1): IdMapping => ({ containerID, hostID, size });
const apart = (count: number): IdMapping[] => Array.from({ length: count }, (_, i) => range(i * 2, i * 2));

/** A map file as the program reads it, 'inside outside count' each. */
const file = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/ +/g, ' '));

/** What was lent to us; undefined where nothing was. */
function lent(path: '/etc/subuid' | '/etc/subgid'): readonly SubordinateRange[] | undefined {
  try {
    return subordinateRanges(path, '');
  } catch {
    return undefined;
  }
}
const uids = lent('/etc/subuid');
const groups = lent('/etc/subgid');
const withLent = (name: string, body: () => Promise<unknown>): void => {
  if (uids === undefined || groups === undefined)
    test.skip(`${name} (skipped: needs ids in /etc/subuid and /etc/subgid)`, body);
  else test(name, body);
};

describe('maps are refused, naming the range,', () => {
  test.each(maps)('%s without a range, and with more than 340', (option) => {
    expect(planning({ flags: NEWUSER, [option]: [] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', option, 'must have at least one range'),
    );
    expect(planning({ flags: NEWUSER, [option]: apart(341) })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', option, 'must have at most 340 ranges'),
    );
    expect(planning({ flags: NEWUSER, [option]: apart(340) })).not.toThrow();
  });
  test.each(maps)('%s with a field that is missing, misspelt or of another type', (option) => {
    const bad: [object, string, string][] = [
      [{ containerID: 0, hostID: 0 }, `${option}[1].size`, 'ERR_INVALID_ARG_TYPE'],
      [{ containerID: 0, size: 1 }, `${option}[1].hostID`, 'ERR_INVALID_ARG_TYPE'],
      [{ containerID: '0', hostID: 0, size: 1 }, `${option}[1].containerID`, 'ERR_INVALID_ARG_TYPE'],
      [{ containerID: 0, hostId: 0, size: 1 }, `${option}[1].hostId`, 'ERR_INVALID_ARG_VALUE'],
      [{ containerID: 0, hostID: 0.5, size: 1 }, `${option}[1].hostID`, 'ERR_OUT_OF_RANGE'],
      [{ containerID: 0, hostID: -1, size: 1 }, `${option}[1].hostID`, 'ERR_OUT_OF_RANGE'],
      [{ containerID: 0, hostID: 0, size: 0 }, `${option}[1].size`, 'ERR_OUT_OF_RANGE'],
      [{ containerID: NaN, hostID: 0, size: 1 }, `${option}[1].containerID`, 'ERR_OUT_OF_RANGE'],
    ];
    for (const [second, name, code] of bad) {
      expect(planning({ flags: NEWUSER, [option]: [range(500, 500), second] })).toThrow(refusal(code as never, name));
    }
  });
  test.each(maps)('%s with an id beyond the last, 4294967294', (option) => {
    const beyond = (bad: IdMapping): (() => unknown) => planning({ flags: NEWUSER, [option]: [range(0, 0), bad] });
    expect(beyond(range(last + 1, 5))).toThrow(refusal('ERR_OUT_OF_RANGE', `${option}[1].containerID`));
    expect(beyond(range(5, last + 1))).toThrow(refusal('ERR_OUT_OF_RANGE', `${option}[1].hostID`));
    expect(beyond(range(last, 5, 2))).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', `${option}[1].size`, 'last container id'),
    );
    expect(beyond(range(5, last, 2))).toThrow(refusal('ERR_INVALID_ARG_VALUE', `${option}[1].size`, 'last host id'));
    expect(beyond(range(last, last))).not.toThrow();
  });
  test.each(maps)('%s with ranges that overlap, inside or outside, in any order', (option) => {
    const both = (first: IdMapping, second: IdMapping): (() => unknown) =>
      planning({ flags: NEWUSER, [option]: [first, range(1000, 1000, 10), second] });
    for (const [first, second] of [
      [range(0, 0, 10), range(9, 20)],
      [range(9, 20), range(0, 0, 10)],
      [range(0, 0, 10), range(0, 20)],
    ] as const) {
      expect(both(first, second)).toThrow(
        refusal(
          'ERR_INVALID_ARG_VALUE',
          expect.stringMatching(/Map\[[02]\]\.containerID$/) as never,
          'must not overlap',
        ),
      );
    }
    expect(both(range(0, 0, 10), range(20, 5, 2))).toThrow(refusal('ERR_INVALID_ARG_VALUE', `${option}[2].hostID`));
    expect(both(range(0, 0, 10), range(10, 10, 10))).not.toThrow();
    expect(both(range(10, 0, 10), range(0, 10, 10))).not.toThrow();
  });
  test('own ids and 0 left out, without uid and gid that say who the program is', () => {
    const other = [range(5, uid + 100_000, 10)];
    const options: CloneOptions = { flags: NEWUSER, uidMap: other, gidMap: other };
    expect(planning(options)).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'uidMap', 'leaves out our own id and 0, so uid must say who the program is'),
    );
    expect(planning({ ...options, uid: 6 })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'gidMap', 'so gid must say'));
    expect(planning({ ...options, uid: 6, gid: 7 })).not.toThrow();
  });
  userOnly("a gid map with setgroups 'allow' of the own id alone", () => {
    expect(planning({ flags: NEWUSER, gidMap: [range(3, gid)], setgroups: 'allow' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'setgroups'),
    );
  });
});

test('the arrays are copied: what is done to them later changes nothing', async () => {
  const uidMap = [range(0, uid)];
  const made = plan('/bin/sh', ['-c', 'exit $(id -u)'], { flags: NEWUSER, uidMap, stdio: 'ignore' });
  uidMap[0]!.containerID = 9;
  uidMap.push(range(50, 50));
  expect(await (await clone(made)).exited).toMatchObject({ code: 0 });
});

describe('the program sees', () => {
  test('one range that is its own id, wherever it lies inside', async () => {
    for (const id of [0, 5, last]) {
      const output = await inside('cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g', {
        flags: NEWUSER,
        uidMap: [range(id, uid)],
        gidMap: [range(id, gid)],
      });
      expect(file(output)).toEqual([`${id} ${uid} 1`, `${id} ${gid} 1`, String(id), String(id)]);
    }
  });
  withLent("what 'auto' maps: its own id as 0, and after it what was lent", async () => {
    const expected = (own: number, ranges: readonly SubordinateRange[]): string[] => {
      let next = 1;
      return [`0 ${own} 1`, ...ranges.map(({ start, count }) => [(next += count) - count, start, count].join(' '))];
    };
    const output = await inside(
      'cat /proc/self/uid_map; cat /proc/self/gid_map; cat /proc/self/setgroups; id -u; id -g',
      {
        flags: NEWUSER,
        uidMap: 'auto',
        gidMap: 'auto',
      },
    );
    expect(file(output)).toEqual([...expected(uid, uids!), ...expected(gid, groups!), 'allow', '0', '0']);
  });
  withLent("ids of 'auto' that are not its own: it can take them, and give files to them", async () => {
    const output = await inside('id -u; id -g; id -G; f=$(mktemp); stat -c %u:%g $f; rm $f', {
      flags: NEWUSER,
      uidMap: 'auto',
      gidMap: 'auto',
      uid: 33,
      gid: 34,
      groups: [35, 36],
    });
    expect(output.split('\n')).toEqual(['33', '34', '34 35 36', '33:34']);
  });
  withLent('ranges that were lent, without the own id: 0 inside', async () => {
    const options: CloneOptions = {
      flags: NEWUSER,
      uidMap: [range(0, uids![0]!.start, 10)],
      gidMap: [range(0, groups![0]!.start, 10)],
    };
    expect(await inside('id -u; id -g; id -G; stat -L -c %u /proc/self', options)).toBe('0\n0\n0\n0');
  });
  withLent('ranges that were lent, without the own id and 0: who it is told to be', async () => {
    const options: CloneOptions = {
      flags: NEWUSER,
      uidMap: [range(5, uids![0]!.start, 10)],
      gidMap: [range(5, groups![0]!.start, 10)],
      uid: 14,
      gid: 5,
    };
    expect(await inside('id -u; id -g; id -G', options)).toBe('14\n5\n5');
    await expect(clone('/bin/true', { ...options, uid: 15 })).rejects.toMatchObject({
      code: 'EINVAL',
      step: 'identity',
      option: 'uid',
    });
    await expect(clone('/bin/true', { ...options, gid: 4 })).rejects.toMatchObject({ code: 'EINVAL', option: 'gid' });
  });
  rootOnly('every number of ranges from 1 to 340, in one write each', async () => {
    for (const count of [1, 2, 5, 6, 339, 340]) {
      const lines = apart(count).map(({ containerID, hostID }) => `${containerID} ${hostID} 1`);
      const options: CloneOptions = { flags: NEWUSER, uidMap: apart(count), gidMap: apart(count) };
      const output = await inside('cat /proc/self/uid_map /proc/self/gid_map', options);
      expect(file(output)).toEqual([...lines, ...lines]);
    }
  });
  rootOnly('ids up to the last one, unsigned', async () => {
    const all = [range(0, 0, last + 1)];
    const output = await inside('cat /proc/self/uid_map; id -u; id -g; id -G', {
      flags: NEWUSER,
      uidMap: all,
      gidMap: all,
      uid: last,
      gid: last - 1,
      groups: [last - 2, 2 ** 31],
    });
    expect(file(output)).toEqual([`0 0 ${last + 1}`, `${last}`, `${last - 1}`, `${last - 1} ${2 ** 31} ${last - 2}`]);
  });
  rootOnly('a map that swaps ids', async () => {
    const swap = [range(0, 1000), range(1000, 0)];
    // Root is who 0 is inside, and that is 1000 outside.
    const child = await clone('/bin/cat', {
      flags: NEWUSER,
      uidMap: swap,
      gidMap: swap,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    expect(readFileSync(`/proc/${child.pid}/status`, 'utf8')).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    child.kill('SIGKILL');
    await child.exited;
  });
  rootOnly('one map without the other, by who may write it', async () => {
    const options: CloneOptions = { flags: NEWUSER, uidMap: apart(3) };
    expect(await inside('id -u; id -g; cat /proc/self/gid_map', options)).toBe('0\n65534');
  });
});

describe('before its maps are in place', () => {
  const options: CloneOptions =
    uid === 0 ? { uidMap: apart(200), gidMap: apart(200) } : { uidMap: 'auto', gidMap: 'auto' };
  const before = needing(
    uid === 0 || (uids !== undefined && groups !== undefined),
    'ids in /etc/subuid and /etc/subgid',
  );

  before('the program has not run an instruction, however many start at once', async () => {
    const started = Array.from({ length: 20 }, () =>
      inside('wc -l < /proc/self/uid_map; wc -l < /proc/self/gid_map; id -u', {
        flags: NEWUSER | Flags.NEWPID | Flags.NEWNET,
        ...options,
      }),
    );
    const lines = uid === 0 ? '200\n200\n0' : `${uids!.length + 1}\n${groups!.length + 1}\n0`;
    expect(new Set(await Promise.all(started))).toEqual(new Set([lines]));
  });
  before('it can be aborted, and nothing is left', async () => {
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const started = clone('/bin/true', { flags: NEWUSER, ...options, stdio: 'ignore', signal: controller.signal });
      controller.abort();
      await expect(started).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    }
  });
});
