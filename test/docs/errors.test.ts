// What docs/guides/errors.md says of errors, against the sources: every class, code, field and hint.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { parseSync } from '@swc/core';

import * as nsclone from '../../lib';
import { blocks, read, rewrite, root, updating, valueOf, where } from './documents';

const page = 'docs/guides/errors.md';
const text = read(page);

const sources = ['lib', 'types'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)
    .sort(),
);

/** The names in the first column of the table below a heading. */
function namesBelow(heading: string): string[] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`))!;
  return Array.from(section.matchAll(/^\| `(\w+)`/gm), (match) => match[1]!);
}

test('has every class of errors that is exported', () => {
  const exported: [string, unknown][] = Object.entries(nsclone);
  const classes = exported.flatMap(([name, value]) =>
    typeof value === 'function' && value.prototype instanceof Error ? [name] : [],
  );
  expect(classes.length).toBeGreaterThan(2);
  // An argument that is refused has one of JavaScript's own classes.
  expect(namesBelow('Classes').sort()).toEqual([...classes, 'ArgumentError'].sort());
});

test('has every code that is not of the kernel', () => {
  const codes = sources.flatMap((file) =>
    Array.from(read(file).matchAll(/(?<!=== )'((?:ERR_[A-Z]+_|ABORT_)[A-Z_]+)'/g), (match) => match[1]!),
  );
  expect(namesBelow('Codes').sort()).toEqual([...new Set(codes)].sort());
});

/** The names that an interface declares. */
function membersOf(name: string): string[] {
  const body = new RegExp(`interface ${name}[^{]*\\{\\n([^]*?)^\\}`, 'm').exec(read('types/errors.ts'))![1]!;
  return Array.from(body.matchAll(/^ {2}(\w+)\??:/gm), (match) => match[1]!);
}

test('has every field', () => {
  const fields = membersOf('SyscallErrorFields');
  expect(fields).toContain('hint');
  expect(namesBelow('Fields of a SyscallError')).toEqual(fields);
  const error = new nsclone.SyscallError(Object.fromEntries(fields.map((field) => [field, field])));
  expect(Object.keys(error).sort()).toEqual([...fields].sort());
});

// ---- hints

interface Node {
  readonly type?: string;
  readonly value?: string;
  readonly operator?: string;
  readonly left?: Node;
  readonly right?: Node;
  readonly quasis?: readonly { readonly cooked: string }[];
  readonly key?: Node;
  readonly id?: Node;
  readonly identifier?: Node;
  readonly properties?: readonly { readonly key?: Node; readonly value?: Node }[];
  readonly arguments?: unknown;
  readonly init?: Node | null;
  readonly declaration?: Node;
  readonly declarations?: readonly Node[];
}

/** Functions, members and variables that have hints in them. */
const sayHints = /^(hint(For)?|detail|why[A-Z]\w*|who[A-Z]\w*|\w+Hint)$/;
const sentence = /\w+ \w+/;

/** What a text is with `…` for what is only known then; undefined for what is none. */
function wording(node: Node): string | undefined {
  if (node.type === 'StringLiteral') return node.value;
  if (node.type === 'TemplateLiteral') return node.quasis!.map(({ cooked }) => cooked).join('…');
  if (node.type !== 'BinaryExpression' || node.operator !== '+') return undefined;
  const [left, right] = [wording(node.left!), wording(node.right!)];
  return left === undefined || right === undefined ? undefined : left + right;
}

/** What was found and what can be done, where an object says why a host refuses. */
function refusal({ type, properties }: Node): string | undefined {
  if (type !== 'ObjectExpression') return undefined;
  const named = (name: string): Node | undefined => properties!.find(({ key }) => key?.value === name)?.value;
  const words = [named('detail'), named('hint')].flatMap((node) => (node === undefined ? [] : (wording(node) ?? [])));
  return words.length < 2 ? undefined : words.join(': ');
}

/** Texts and names in the hints of a file. */
interface Found {
  readonly texts: string[];
  readonly names: Set<string>;
}

function collect(node: unknown, isHint: boolean, found: Found): void {
  if (typeof node !== 'object' || node === null) return;
  if (Array.isArray(node)) return node.forEach((one) => collect(one, isHint, found));
  const { type, key, id, identifier, arguments: given, ...rest } = node as Node;
  const name = (key ?? id ?? identifier)?.value;
  // A variable in such a function is a part of what it says, and is where it is used.
  const inHint = (name !== undefined && sayHints.test(name)) || (isHint && type !== 'VariableDeclarator');
  if (type === 'Identifier' && isHint) found.names.add(rest.value!);
  const words = wording(node) ?? refusal(node);
  if (words !== undefined)
    return void ((inHint || type === 'ObjectExpression') && sentence.test(words) && found.texts.push(words));
  // What is handed to another function is a part of what that one says.
  collect(given, false, found);
  Object.values(rest).forEach((one) => collect(one, inHint, found));
}

/** The constants of a module that are texts, by name. */
function constantsOf(body: readonly Node[]): Map<string, string> {
  const declarations = body.flatMap((node) => (node.declaration ?? node).declarations ?? []);
  return new Map(
    declarations.flatMap(({ id, init }): [string, string][] => {
      const words = init === null || init === undefined ? undefined : wording(init);
      return words !== undefined && sentence.test(words) ? [[id!.value!, words]] : [];
    }),
  );
}

const modules = sources.map((file) => {
  const body = parseSync(read(file), { syntax: 'typescript', target: 'es2022' }).body as readonly unknown[] as Node[];
  const found: Found = { texts: [], names: new Set() };
  collect(body, false, found);
  return { file, ...found, constants: constantsOf(body) };
});
const named = new Set(modules.flatMap(({ names }) => [...names]));

function hintsOf(file: string): string[] {
  const { texts, constants } = modules.find((module) => module.file === file)!;
  return [...[...constants].filter(([name]) => named.has(name)).map(([, words]) => words), ...texts];
}

const listed = blocks.filter((block) => block.document === page && valueOf(block, 'hints') !== undefined);
const filesOf = (block: (typeof listed)[number]): string[] =>
  valueOf(block, 'hints')!
    .split(',')
    .map((name) => `lib/${name}.ts`);

test.each(listed.map((block) => [where(block), block] as const))('%s has the hints of the sources', (_, block) => {
  const hints = `${[...new Set(filesOf(block).flatMap(hintsOf))].join('\n')}\n`;
  if (updating) rewrite(block, hints);
  else expect(block.code).toBe(hints);
});

test('every file that has hints is among them', () => {
  const files = sources.filter((file) => hintsOf(file).length > 0);
  expect(files.length).toBeGreaterThan(20);
  expect(listed.flatMap(filesOf).sort()).toEqual(files);
});
