// The picture of held time in the README: it is drawn from the figures that are kept beside it, and can be read.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { read, root, updating } from './documents';

type Quantiles = Readonly<Record<'p10' | 'median' | 'p90', number>>;
type Colours = Readonly<Record<'page' | 'text' | 'muted' | 'grid' | 'clone' | 'spawn', string>>;

interface Drawn {
  readonly data: { readonly sizes: readonly { mebibytes: number; clone: Quantiles; spawn: Quantiles }[] };
  /** SVGs by the names of their files. */
  readonly pictures: Readonly<Record<string, string>>;
  readonly words: string;
  readonly themes: Readonly<Record<string, Colours>>;
}

/** What the modules of the benchmarks draw now; they are ES modules, which the tests are not. */
function drawn(): Drawn {
  const script = `
    import { drawn } from './bench/held-time.mjs';
    import { themes } from './bench/picture.mjs';
    process.stdout.write(JSON.stringify({ ...drawn(), themes }));`;
  const args = ['--input-type=module', '--eval', script];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })) as Drawn;
}

if (updating) execFileSync(process.execPath, [join(root, 'bench/run.mjs'), '--redraw']);
const { data, pictures, words, themes } = drawn();
const { sizes } = data;

test.each(['held-time-light.svg', 'held-time-dark.svg'])('%s is drawn from the kept figures', (name) => {
  expect(read(`docs/images/${name}`)).toBe(pictures[name]);
});

test('the README shows both, and says the same in words', () => {
  const [element] = /<picture>[^]*<\/picture>/.exec(read('README.md'))!;
  for (const name of Object.keys(pictures)) expect(element).toContain(`docs/images/${name}"`);
  expect(element).toContain(`alt="${words}"`);
});

test('the words are in the pictures too', () => {
  for (const svg of Object.values(pictures)) expect(svg).toContain(`<desc id="description">${words}</desc>`);
});

test('the figures reach from 50 MB to 4 GB, and are medians within their spread', () => {
  expect([sizes[0]!.mebibytes, sizes.at(-1)!.mebibytes]).toEqual([50, 4096]);
  for (const { p10, median, p90 } of sizes.flatMap(({ clone, spawn }) => [clone, spawn])) {
    expect([p10, median, p90]).toEqual([p10, median, p90].toSorted((a, b) => a - b));
  }
});

test('the figures bear out that size does not matter to clone(), and does to spawn()', () => {
  const growth = (subject: 'clone' | 'spawn'): number => sizes.at(-1)![subject].median / sizes[0]![subject].median;
  expect(growth('clone')).toBeLessThan(1.5);
  expect(growth('spawn')).toBeGreaterThan(10);
});

/** WCAG 2.2: relative luminance, and the contrast of two colours. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [darker, lighter] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

test.each(Object.entries(themes))('what is written stands out from the %s page', (_, { page, ...colours }) => {
  for (const name of ['text', 'muted', 'clone', 'spawn'] as const) {
    expect(contrast(colours[name], page)).toBeGreaterThanOrEqual(4.5);
  }
});
