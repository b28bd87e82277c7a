// The snippets of the documents: they compile, and those that say so run and print what the document shows.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { transformSync } from '@swc/core';

import { addon } from '../support/addon';
import { needing, rootOnly } from '../support/capability';
import { slow } from '../support/slow';
import { type Block, blocks, compile, rewrite, root, updating, valueOf, where } from './documents';

const typescript = blocks.filter(
  ({ language, words }) =>
    language === 'ts' && !words.some((word) => word === 'fragment' || /^(file|part)=/.test(word)),
);
const running = typescript.filter(({ words }) => words.includes('run'));

let folder = '';

/** Where a snippet lies: modules of their own, or where the document says. */
function fileOf(block: Block): string {
  const at = valueOf(block, 'at');
  return join(folder, at ?? `${where(block).replaceAll(/[/:]/g, '-')}.mts`);
}

beforeAll(() => {
  // Inside the package, so that 'nsclone' is what is built.
  mkdirSync(join(root, 'build'), { recursive: true });
  folder = mkdtempSync(join(root, 'build/docs-'));
  for (const block of typescript) {
    mkdirSync(dirname(fileOf(block)), { recursive: true });
    writeFileSync(fileOf(block), block.code);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('snippets compile', () => {
  // Errors of the library itself are a matter of `npm run typecheck`.
  expect(
    compile(folder)
      .split('\n')
      .filter((line) => /^\w.*error TS/.test(line)),
  ).toEqual([]);
});

function run(block: Block): string {
  const source = fileOf(block);
  const module = source.replace(/mts$/, 'mjs');
  const { code } = transformSync(block.code, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } });
  writeFileSync(module, code);
  // What a snippet mounts is not for the tests that run beside it and look at the mounts of the host.
  const apart = block.words.includes('root') ? ['unshare', '--mount'] : [];
  const [command, ...args] = [...apart, process.execPath, module];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: slow(20_000) });
  expect(stderr).toBe('');
  return stdout;
}

/** The blocks right behind a snippet that say what it prints. */
function outputsOf(block: Block): Block[] {
  const rest = blocks.slice(blocks.indexOf(block) + 1);
  const end = rest.findIndex(({ words }) => !words.includes('output'));
  return rest.slice(0, end < 0 ? rest.length : end);
}

/** The size of the environment differs from one to the next. */
const masked = (text: string): string => text.replaceAll(/\d+ variables/g, 'N variables');

/** What differs in a listing where instructions were added or left out before. */
function unnumbered(listing: string): string[] {
  return masked(listing)
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .replace(/^ *\d+(–\d+)?/, '')
        .replaceAll(/\br\d+/g, 'r')
        .replaceAll(/data\[\d+\]/g, 'data')
        .replaceAll(/go to \d+/g, 'go to')
        .replaceAll(/"0 \d+ 1\\n", \d+\)  # at least \d+/g, 'map'),
    );
}

const landlock = addon().landlockAbi();

const ofUser = (line: string): boolean => /^ *[\d–]* *user /.test(line);
const capabilities = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
/** CAP_SETGID: who has it writes the map of groups for the child. */
const privileged = (BigInt(`0x${capabilities}`) & (1n << 6n)) !== 0n;

/** What an ordinary user sees: the privileged listing with the other lines of the step `user`. */
function expectOrdinary(printed: string, whole: string, user: string): void {
  const lines = unnumbered(whole);
  const first = lines.findIndex(ofUser);
  const rest = lines.filter((line) => !ofUser(line));
  expect(unnumbered(printed)).toEqual([...rest.slice(0, first), ...unnumbered(user), ...rest.slice(first)]);
}

/** Runs a snippet and compares what it prints with what the document shows. */
function expectOutput(block: Block): void {
  const printed = run(block);
  const [first, second] = outputsOf(block);
  if (first === undefined) return;
  if (second === undefined || privileged) {
    if (updating) rewrite(first, printed.replaceAll(/\d+ variables/g, '24 variables'));
    else expect(masked(printed)).toBe(masked(first.code));
  } else if (updating) {
    rewrite(second, `${printed.split('\n').filter(ofUser).join('\n')}\n`);
  } else {
    expectOrdinary(printed, first.code, second.code);
  }
}

for (const block of running) {
  const restricts = block.words.includes('landlock');
  const when = block.words.includes('root') ? rootOnly : restricts ? needing(landlock >= 6, 'Landlock ABI 6') : test;
  when(`${where(block)} runs`, () => expectOutput(block));
}
