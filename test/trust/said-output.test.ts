// What a child wrote is readable after its end, touched or not, early or late, and 'close' comes all the same.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { clone, type ClonedProcess, type CloneOptions } from '../../lib';
import { lasting } from '../support/lasting';
import { leavesNothing } from '../support/leftovers';
import { slow, until } from '../support/slow';

leavesNothing();

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-output-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const sh = (script: string, options: CloneOptions = {}): Promise<ClonedProcess> =>
  clone('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], ...options });

/** Whether 'close' comes, from here on. */
async function closes(child: ClonedProcess): Promise<boolean> {
  const closed = once(child, 'close').then(() => true);
  return Promise.race([closed, sleep(slow(8000), false, { ref: false })]);
}

/** Long after all that the end of a child makes happen: 'close' is the last of it. */
async function longAfter(closed: Promise<boolean>): Promise<void> {
  expect(await closed).toBe(true);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/** All of a stream, or what there is of one that does not end. */
async function all(stream: Readable): Promise<string> {
  return Promise.race([text(stream), sleep(slow(8000), 'it does not end', { ref: false })]);
}

const moments: [string, (child: ClonedProcess) => unknown][] = [
  ['untouched until then', () => {}],
  ['touched before', (child) => [...child.stdio]],
];
const inTurn: [string, (child: ClonedProcess) => Promise<unknown>][] = [
  ['when `exited` resolves', (child) => child.exited],
  ['a turn later', (child) => child.exited.then(() => new Promise(setImmediate))],
  ['long after the end', (child) => longAfter(closes(child))],
  ["after 'exit'", (child) => once(child, 'exit')],
];

describe.each(moments)('streams that are %s', (_, touch) => {
  test.each(inTurn)('can be read %s', async (_when, wait) => {
    const child = await sh('echo out; echo err >&2');
    touch(child);
    const closed = closes(child);
    await wait(child);
    expect([await all(child.stdout!), await all(child.stderr!)]).toEqual(['out\n', 'err\n']);
    expect(await closed).toBe(true);
  });

  test("can be read after 'close', which comes though nobody reads", async () => {
    const child = await sh('echo out; echo err >&2');
    touch(child);
    await longAfter(closes(child));
    expect([await all(child.stdout!), await all(child.stderr!)]).toEqual(['out\n', 'err\n']);
  });

  test('bring a full pipe, byte by byte', async () => {
    const bytes = randomBytes(64 * 1024 - 1);
    writeFileSync(join(folder, 'bytes'), bytes);
    const child = await clone('/bin/cat', [join(folder, 'bytes')], { stdio: ['ignore', 'pipe', 'ignore'] });
    touch(child);
    await longAfter(closes(child));
    const found = await Promise.race([buffer(child.stdout), sleep(slow(8000), Buffer.alloc(0), { ref: false })]);
    expect(found.length).toBe(bytes.length);
    expect(found.equals(bytes)).toBe(true);
  });

  test('are those above 2 as well', async () => {
    const child = await sh('echo three >&3; echo four >&4', {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'socket'],
    });
    touch(child);
    await longAfter(closes(child));
    const [, , , three, four] = child.stdio as unknown as Readable[];
    expect([await all(three!), await all(four!)]).toEqual(['three\n', 'four\n']);
  });

  test('do not stop a grandchild that writes on: 1 MiB is kept for a late reader', async () => {
    const done = join(folder, 'done');
    const child = await sh(`(seq 1 500000; : > ${done}) & exit 0`);
    touch(child);
    const closed = closes(child);
    await child.exited;
    await longAfter(closed);
    await until(() => existsSync(done));
    const kept = await all(child.stdout!);
    const written = Array.from({ length: 500_000 }, (_n, index) => `${index + 1}\n`).join('');
    expect(written.startsWith(kept)).toBe(true);
    expect(kept.length).toBeGreaterThanOrEqual(1 << 20);
    expect(kept.length).toBeLessThan(2 << 20);
  });
});

test('the same stream is there before and after the end', async () => {
  const child = await sh('echo out');
  const { stdout } = child;
  await longAfter(closes(child));
  expect(child.stdout).toBe(stdout);
  expect(await all(stdout!)).toBe('out\n');
});

test('what is read early is not told a second time', async () => {
  const heard = lasting();
  const child = await sh(`echo early; ${heard.wait}; echo late`);
  let seen = '';
  child.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  child.stdout!.once('data', heard.end);
  await longAfter(closes(child));
  expect([seen, await all(child.stderr!)]).toEqual(['early\nlate\n', '']);
});

test('a stream that is paused keeps what it has', async () => {
  const child = await sh('echo out');
  child.stdout!.pause();
  await longAfter(closes(child));
  let seen = '';
  child.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  child.stdout!.resume();
  await Promise.race([once(child.stdout!, 'end'), sleep(slow(8000), undefined, { ref: false })]);
  expect(seen).toBe('out\n');
});

describe.each(moments)('a terminal that is %s', (_, touch) => {
  const touched = (child: ClonedProcess): unknown => (touch === moments[0]![1] ? undefined : child.pty);

  test.each(inTurn)('can be read %s', async (_when, wait) => {
    const child = await sh('echo out; echo err >&2', { stdio: undefined, pty: true });
    touched(child);
    const closed = closes(child);
    await wait(child);
    expect(child.pty).not.toBeNull();
    expect(await all(child.pty!)).toBe('out\r\nerr\r\n');
    expect(await closed).toBe(true);
  });

  test("can be read after 'close', which comes though nobody reads", async () => {
    const child = await sh('echo out', { stdio: undefined, pty: true });
    touched(child);
    await longAfter(closes(child));
    expect(child.pty).not.toBeNull();
    expect(await all(child.pty!)).toBe('out\r\n');
  });
});
