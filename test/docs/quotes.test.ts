// What the documents say of the tree: quotes of files, names of files and functions, links.
import { dirname, join, normalize } from 'node:path';
import { readdirSync, statSync } from 'node:fs';

import { blocks, documents, exists, read, rewrite, root, updating, valueOf, where } from './documents';

const whole = blocks.filter((block) => valueOf(block, 'file') !== undefined);
const parts = blocks.filter((block) => valueOf(block, 'part') !== undefined);

test.each(whole.map((block) => [where(block), valueOf(block, 'file')!, block] as const))(
  '%s is %s',
  (_, file, block) => {
    if (updating) rewrite(block, read(file));
    else expect(block.code).toBe(read(file));
  },
);

test.each(parts.map((block) => [where(block), valueOf(block, 'part')!, block] as const))(
  '%s is a part of %s',
  (_, file, block) => {
    expect(read(file)).toContain(block.code);
  },
);

/** A document without its code blocks. */
function prose(document: string): string {
  return read(document).replaceAll(/^```[^]*?^```$/gm, '');
}

/** What stands between single backticks. */
function quoted(document: string): string[] {
  return Array.from(prose(document).matchAll(/`([^`\n]+)`/g), (match) => match[1]!);
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => statSync(join(root, name)).isFile());
}

const code = ['lib', 'tools', 'types', 'src-native', 'test/support'].flatMap(sources).map(read).join('\n');

describe.each(documents)('%s', (document) => {
  test('names files that are there', () => {
    const files = quoted(document).filter((name) =>
      /^(\.ci|bench|docs|examples|lib|scripts|src-native|test|tools|types)\/\S*$/.test(name),
    );
    expect(files.filter((file) => !exists(file))).toEqual([]);
  });

  test('names functions, classes and members that are there', () => {
    const names = quoted(document)
      .filter((name) => /^\w+\(\)$|^[A-Z]\w+::\w+$/.test(name))
      .flatMap((name) => name.replace('()', '').split('::'));
    const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code));
    expect(missing).toEqual([]);
  });

  test('links to files that are there', () => {
    const links = Array.from(prose(document).matchAll(/(?:\]\(|\bsrc(?:set)?=")([^)#"]+)/g), (match) => match[1]!);
    const local = links.filter((link) => !link.includes('://'));
    expect(local.filter((link) => !exists(normalize(join(dirname(document), link))))).toEqual([]);
  });
});

test('the README begins with how to see it and how to test it', () => {
  const [, sentence, commands] = read('README.md').split('\n\n');
  expect(sentence).not.toContain('\n');
  expect(commands).toBe('```sh\nnpm ci && npm run demo\nnpm ci && npm test\n```');
});
