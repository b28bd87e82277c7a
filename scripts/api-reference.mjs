// Writes docs/api.md, the reference of every public name, from the types and their comments; --check only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs/api.md');

// typedoc needs TypeScript's JavaScript API, which TypeScript 7 does not have: it gets the one of `attw`. (One more of our
// own would take the place of TypeScript 7 in node_modules/.bin.)
const older = createRequire(join(root, 'node_modules/@arethetypeswrong/core/package.json')).resolve('typescript');
const hook = `export const resolve = (name, context, next) => next(name === 'typescript' ? ${JSON.stringify(pathToFileURL(older).href)} : name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
const { Application, Converter, ReflectionKind } = await import('typedoc');

// The sections of the page:
//   files   whose names it has, in this order, those of a file in the order of its source
//   first   names that come before all others
//   kinds   what of the files; all but functions without it
//   from    the import that has them; that of the package without it
//   text    what is said first
const sections = [
  {
    title: 'Functions',
    files: [
      'clone',
      'run',
      'fork',
      'plan',
      'record',
      'perform',
      'create-namespaces',
      'unshare',
      'setns',
      'run-in',
      'probe',
      'flags',
      'errors/*',
    ].map((name) => `lib/${name}`),
    first: [
      'clone',
      'run',
      'fork',
      'plan',
      'record',
      'perform',
      'createNamespaces',
      'unshare',
      'unshareSync',
      'setns',
      'setnsSync',
      'runIn',
      'probe',
    ],
    kinds: ReflectionKind.Function,
  },
  {
    title: 'Options',
    first: ['CloneOptions', 'StartOptions', 'RunOptions'],
    files: [
      'types/options',
      'types/run',
      'types/fork',
      'types/stdio',
      'types/mounts',
      'types/join-target',
      'types/privileges',
      'types/seccomp',
      'types/limits',
      'types/landlock',
      'types/signals',
      'types/steps',
      'types/synchronous',
      'types/worker',
    ],
  },
  { title: 'Children', files: ['types/child'], first: ['ClonedProcess', 'ClonedCommand'] },
  { title: 'Namespaces', files: ['lib/namespace', 'lib/namespace-set', 'lib/namespace-worker', 'types/namespace'] },
  { title: 'What a host allows', files: ['types/probe'], first: ['Support', 'Answer', 'Feature'] },
  { title: 'Errors', files: ['lib/errors/*', 'types/errors'] },
  { title: 'Plans and programs', files: ['lib/plan', 'lib/record', 'types/listing'] },
  { title: 'The recorder', files: ['types/record', 'types/calls'], first: ['Recorder', 'Calls', 'RecordedOptions'] },
  { title: 'Flags and constants', files: ['types/flags', 'lib/kernel/*'] },
  {
    title: 'nsclone/seccomp',
    text: 'Imported by that name. It has the types of profiles too, which are those of [the option](#seccompprofile).',
    from: 'seccomp',
    files: ['lib/seccomp', 'types/seccomp'],
    kinds: ReflectionKind.All,
  },
];

/** The compiler's declarations of what typedoc has. */
const declarations = new Map();

async function modelOf() {
  const app = await Application.bootstrap({
    entryPoints: ['index', 'seccomp'].map((name) => join(root, `lib/${name}.ts`)),
    tsconfig: join(root, 'scripts/api-reference.tsconfig.json'),
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeProtected: true,
    disableSources: true,
    readme: 'none',
    sort: ['source-order'],
    logLevel: 'Error',
  });
  app.converter.on(Converter.EVENT_END, (context) => {
    for (const reflection of Object.values(context.project.reflections)) {
      declarations.set(reflection, context.getSymbolFromReflection(reflection)?.declarations ?? []);
    }
  });
  const project = await app.convert();
  if (project === undefined || app.logger.hasErrors()) throw new Error('typedoc could not read the types');
  return project;
}

const project = await modelOf();
/** What each import has; types that both have are the package's. */
const imports = new Map(
  project.children.map(({ name, children }) => [
    name,
    children.filter((reflection) => !reflection.kindOf(ReflectionKind.Reference)),
  ]),
);
const declarationsOf = (reflection) => declarations.get(reflection) ?? [];

/** 'types/options' */
function fileOf(reflection) {
  const [declaration] = declarationsOf(reflection);
  return relative(root, declaration.getSourceFile().fileName).replace(/\.ts$/, '');
}

const fits = (file, pattern) => (pattern.endsWith('/*') ? dirname(file) === dirname(pattern) : file === pattern);

function membersOf({ files, first = [], kinds = ~ReflectionKind.Function, from = 'index' }) {
  const members = files.flatMap((pattern) =>
    imports
      .get(from)
      .filter((reflection) => reflection.kindOf(kinds) && fits(fileOf(reflection), pattern))
      .sort((a, b) => declarationsOf(a)[0].pos - declarationsOf(b)[0].pos || (a.name < b.name ? -1 : 1))
      .sort((a, b) => (fileOf(a) < fileOf(b) ? -1 : fileOf(a) > fileOf(b) ? 1 : 0)),
  );
  const leading = first.flatMap((name) => members.filter((member) => member.name === name));
  return [...leading, ...members.filter((member) => !leading.includes(member))];
}

// ---- anchors

const isClone = ({ name }) => name.startsWith('CLONE_');
const titleOf = (reflection) => (reflection.kindOf(ReflectionKind.Function) ? `${reflection.name}()` : reflection.name);
const parts = sections.map((section) => ({ ...section, members: membersOf(section) }));
const anchors = new Map();

/** As GitHub makes them: what was there before gets a number. */
function nameAnchors() {
  const seen = new Map();
  const anchor = (title) => {
    const slug = title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  };
  anchor('API reference');
  for (const part of parts) {
    part.anchor = anchor(part.title);
    const named = part.members.filter((member) => !isClone(member));
    for (const member of named) anchors.set(member, anchor(titleOf(member)));
    if (named.length < part.members.length) part.cloneAnchor = anchor('CLONE_…');
  }
}

nameAnchors();
/** What a type is called is that type, and no function of the same name. */
const byName = new Map([...anchors].map(([member, anchor]) => [titleOf(member), anchor]));

// ---- text

const oneLine = (text) => text.replaceAll(/\s+/g, ' ').trim();
/** A lone asterisk is the character ('net.*'), a pair is emphasis. */
const plain = (text) => text.replaceAll(/(?<!\*)\*(?!\*)/g, '\\*').replaceAll('<', '\\<');

function prose(content = []) {
  const text = content.map((part) => {
    if (part.kind === 'code') return part.text;
    if (part.kind === 'text') return plain(part.text);
    const anchor = byName.get(part.text) ?? byName.get(`${part.text}()`);
    return anchor === undefined ? `\`${part.text}\`` : `[\`${part.text}\`](#${anchor})`;
  });
  return text.join('').trim();
}

/** A comment, and what it says of the result and of errors. */
function paragraphs(comment) {
  const blocks = [prose(comment?.summary)];
  for (const { tag, content } of comment?.blockTags ?? []) {
    if (tag === '@returns') blocks.push(`Returns ${prose(content)}.`);
    if (tag === '@throws') blocks.push(`Throws ${oneLine(prose(content))}.`);
  }
  return blocks.filter((block) => block !== '');
}

/** A type as code, where each public name leads to its place. */
function linked(text) {
  const code = (piece) => (piece.trim() === '' ? piece : piece.replace(/^(\s*)(.*?)(\s*)$/s, '$1`$2`$3'));
  const pieces = text
    .split(/('(?:[^'\\]|\\.)*')|\b([A-Z]\w*)\b/)
    .filter((piece) => piece !== undefined && piece !== '');
  const known = pieces.filter((piece) => byName.has(piece));
  if (known.length === 0 || pieces.length > 12) return code(text);
  return pieces
    .reduce((runs, piece) => {
      if (byName.has(piece)) return [...runs, { link: piece }];
      const last = runs.at(-1);
      return last?.link === undefined && last !== undefined
        ? [...runs.slice(0, -1), { text: last.text + piece }]
        : [...runs, { text: piece }];
    }, [])
    .map((run) => (run.link === undefined ? code(run.text) : `[\`${run.link}\`](#${byName.get(run.link)})`))
    .join('');
}

const fence = (code) => ['```ts fragment', code, '```'].join('\n');

/** The public names in a piece of code, as links. */
function namesIn(code, own) {
  const words = new Set(code.replaceAll(/'[^'\n]*'/g, '').match(/\b[A-Z]\w*\b/g) ?? []);
  const links = [...words].filter((word) => word !== own && byName.has(word));
  return links.length === 0 ? [] : [links.map((word) => `[\`${word}\`](#${byName.get(word)})`).join(', ')];
}

// ---- members

function functionText(reflection) {
  const declarations = declarationsOf(reflection);
  const shown = declarations.length === 1 ? declarations : declarations.filter(({ body }) => body === undefined);
  if (shown.length !== reflection.signatures.length) throw new Error(`${reflection.name}: an overload is missing`);
  return reflection.signatures.flatMap((signature, index) => {
    const whole = shown[index].getText();
    const { body } = shown[index];
    const code = (body === undefined ? whole : whole.slice(0, whole.length - body.getText().length))
      .trim()
      .replace(/^export (async )?/, '')
      .replace(/;?$/, ';');
    const parameters = (signature.parameters ?? [])
      .filter(({ comment }) => comment !== undefined)
      .map(({ name, comment }) => `- \`${name}\`: ${prose(comment.summary)}`.replaceAll('\n', '\n  '));
    const [text, ...rest] = paragraphs(signature.comment);
    return [fence(code), text, parameters.join('\n'), ...rest, ...namesIn(code)];
  });
}

/** A method or an accessor as it is declared, without its body. */
function signatureText(declaration) {
  const whole = declaration.getText();
  const { body } = declaration;
  return oneLine(body === undefined ? whole : whole.slice(0, body.getStart() - declaration.getStart()))
    .replace(/;$/, '')
    .replaceAll(/([(<]) /g, '$1')
    .replaceAll(/, ([)>])/g, '$1');
}

function headOfMember(member, declaration) {
  if (member.signatures !== undefined) return `**\`${signatureText(declaration)}\`**`;
  const optional = member.flags.isOptional;
  const type = oneLine((declaration.type ?? declaration.initializer).getText());
  const name = `${declaration.name.getText()}${optional ? '?' : ''}`;
  return `**\`${name}\`**: ${linked(optional ? type.replace(/\s*\| undefined$/, '') : type)}`;
}

/** A member as items of a list, one for each overload. */
function memberText(member) {
  const documented = member.signatures ?? [member.getSignature ?? member];
  const declared = declarationsOf(member);
  return documented.map(({ comment, parameters = [] }, index) => {
    const given = parameters
      .filter((parameter) => parameter.comment !== undefined)
      .map((parameter) => `\`${parameter.name}\`: ${prose(parameter.comment.summary)}.`);
    const [text = '', ...rest] = paragraphs(comment);
    const lines = [text, ...given, ...rest].filter((line) => line !== '').flatMap((line) => line.split(/\n\s*\n/));
    return [
      `- ${headOfMember(member, declared[index])}`,
      ...lines.map((line) => line.replaceAll(/\n\s*/g, '\n  ')),
    ].join('  \n  ');
  });
}

/** 'interface X<R> extends Y' as in the source, up to its body. */
function headOf(declaration) {
  const whole = declaration.getText();
  const [first] = declaration.members;
  const head = first === undefined ? whole : whole.slice(0, first.getFullStart() - declaration.getStart());
  return head.replace(/^export (declare )?/, '').replace(/\s*\{\s*\}?\s*$/, '');
}

/** Names in capitals, of which there may be many, four to a line. */
function narrow(code) {
  const run = /(?:\n\s+\| '[A-Z_]+')+/g;
  return code.replaceAll(run, (names) => {
    const words = names.match(/'[A-Z_]+'/g);
    const lines = words.flatMap((_, at) => (at % 4 === 0 ? [words.slice(at, at + 4).join(' | ')] : []));
    return lines.map((line) => `\n  | ${line}`).join('');
  });
}

function typeText(reflection) {
  const [declaration] = declarationsOf(reflection);
  if (reflection.kindOf(ReflectionKind.TypeAlias)) {
    const code = declaration.getText().replace(/^export /, '');
    return [fence(narrow(code)), ...paragraphs(reflection.comment), ...namesIn(code, reflection.name)];
  }
  const head = headOf(declaration);
  const members = (reflection.children ?? []).filter(
    (member) => member.inheritedFrom === undefined && !member.kindOf(ReflectionKind.Constructor),
  );
  return [
    fence(head),
    ...paragraphs(reflection.comment),
    members.flatMap(memberText).join('\n'),
    ...namesIn(head, reflection.name),
  ];
}

function enumText(reflection) {
  const rows = reflection.children.map((member) => {
    const value = `0x${(Number(member.type.value) >>> 0).toString(16).padStart(8, '0')}`;
    return `| \`${member.name}\` | \`${value}\` | ${oneLine(prose(member.comment?.summary)).replaceAll('|', '\\|')} |`;
  });
  return [...paragraphs(reflection.comment), ['| Flag | Value | |', '| --- | --- | --- |', ...rows].join('\n')];
}

/** The names of the kernel's constants, those with the same beginning in a row. */
function constantsText(reflection) {
  const names = declarationsOf(reflection)[0]
    .initializer.getText()
    .match(/^ {2}\w+(?=:)/gm)
    .map((name) => name.trim());
  const rows = new Map();
  for (const name of names) {
    const [beginning] = /^(E?POLL|SIOC|TIOC|TUN|W(?=[A-Z]+$)|[^_]+_?)/.exec(name);
    rows.set(beginning, [...(rows.get(beginning) ?? []), name]);
  }
  const lines = [...rows].map(
    ([beginning, row]) => `| \`${beginning}…\` | ${row.map((name) => `\`${name}\``).join(' ')} |`,
  );
  return [...paragraphs(reflection.comment), ['| | Names |', '| --- | --- |', ...lines].join('\n')];
}

function textOf(reflection) {
  if (reflection.kindOf(ReflectionKind.Function)) return functionText(reflection);
  if (reflection.kindOf(ReflectionKind.Enum)) return enumText(reflection);
  if (reflection.kindOf(ReflectionKind.Variable)) return constantsText(reflection);
  return typeText(reflection);
}

// ---- the page

function sectionText({ title, text = '', members }) {
  const named = members.filter((member) => !isClone(member));
  const clones = members.filter(isClone);
  const blocks = [`## ${title}`, text, ...named.flatMap((member) => [`### ${titleOf(member)}`, ...textOf(member)])];
  if (clones.length > 0) {
    const names = clones.map(({ name }) => `\`${name}\``).join(', ');
    blocks.push(
      '### CLONE_…',
      `Those of \`constants\` that are flags of clone(2), each as an export of its own: ${names}.`,
    );
  }
  return blocks;
}

function contents() {
  return parts.map(({ title, anchor, members }) => {
    const links = members
      .filter((member) => anchors.has(member))
      .map((member) => `[${titleOf(member)}](#${anchors.get(member)})`);
    return `- [${title}](#${anchor}): ${links.join(', ')}`;
  });
}

function document() {
  const placed = new Set(parts.flatMap(({ members }) => members));
  const lost = [...imports.values()].flat().filter((member) => !placed.has(member));
  if (lost.length > 0) throw new Error(`no section of the page is for ${lost.map(titleOf).join(', ')}`);
  const blocks = [
    '# API reference',
    'Every name that the package exports. This page is written by `npm run docs:api` from the types and their comments: change those.',
    contents().join('\n'),
    ...parts.flatMap(sectionText),
  ];
  return `${blocks.filter((block) => block !== undefined && block !== '').join('\n\n')}\n`;
}

const text = document();
if (!process.argv.includes('--check')) {
  writeFileSync(page, text);
} else if (readFileSync(page, 'utf8') !== text) {
  console.error(`docs/${basename(page)} is not what the types say: npm run docs:api`);
  process.exitCode = 1;
}
