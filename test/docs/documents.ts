// The documents as data: their code blocks, and what the info string behind the language says of each.
//
//   ts                 compiles on its own        ts fragment      is only to be read
//   ts run             compiles and runs          ts at=FILE       compiles where FILE would lie
//   ts run root        the same, where we have CAP_SYS_ADMIN; the document says why
//   ts run landlock    the same, where the kernel has all of Landlock that the options know
//   text output        what the `ts run` before it prints; a second one has the lines that an ordinary user sees instead
//   ts file=FILE       is all of FILE             ts part=FILE     is a part of FILE
//   text hints=FILES   has all hints of these files of lib/, see errors.test.ts
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(__dirname, '../..');
/** Write quotes and outputs anew in the place of comparing them. */
export const updating = process.env['UPDATE_DOCS'] === '1';

/** A code block. */
export interface Block {
  readonly document: string;
  /** The line that its code begins at, from 1 on. */
  readonly line: number;
  readonly language: string;
  readonly words: readonly string[];
  readonly code: string;
}

/** The documents that are checked. */
export const documents: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...['docs', 'docs/guides'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];

/** The text of a file of the project. */
export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** What the compiler prints of the files in a folder two levels below the root. `nsclone` is the library's sources there. */
export function compile(folder: string): string {
  const options = {
    extends: '../../tsconfig.json',
    compilerOptions: { rootDirs: ['.', '../..'], paths: { nsclone: ['../../lib/index.ts'] } },
    include: ['.'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: folder, encoding: 'utf8' }).stdout;
}

export function exists(file: string): boolean {
  return existsSync(join(root, file));
}

function blocksOf(document: string): Block[] {
  const text = read(document);
  return Array.from(text.matchAll(/^```(\w+)(.*)\n([^]*?)^```$/gm), (match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length + 1,
    language: match[1]!,
    words: match[2]!.split(' ').filter((word) => word !== ''),
    code: match[3]!,
  }));
}

/** All code blocks of all documents. */
export const blocks: readonly Block[] = documents.flatMap(blocksOf);

/** 'README.md:21' */
export function where({ document, line }: Block): string {
  return `${document}:${line}`;
}

/** What stands behind `name=` in the info string. */
export function valueOf({ words }: Block, name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Puts other code into a block. */
export function rewrite(block: Block, code: string): void {
  const fence = `\`\`\`${[block.language, ...block.words].join(' ')}\n`;
  writeFileSync(
    join(root, block.document),
    read(block.document).replace(`${fence}${block.code}\`\`\``, () => `${fence}${code}\`\`\``),
  );
}
