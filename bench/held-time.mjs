// The picture in the README: which sizes it has, the figures that are kept of them, and the files that are drawn from these.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { finding, picture, themes } from './picture.mjs';
import { mebibytes } from './rows/held.mjs';
import { find } from './statistics.mjs';

/** Variants of the row `held`. */
export const sizes = ['50 MB', '100 MB', '200 MB', '500 MB', '1 GB', '2 GB', '4 GB'];

export const runs = 50;

const folder = new URL('../docs/images/', import.meta.url);
const figuresFile = new URL('held-time.json', folder);
const readme = new URL('../README.md', import.meta.url);

/** Keeps the figures of the row, and nothing that says when or on which host they were taken. */
export function keep({ figures, missing }, { cpu, memory, kernel, node, hugePages }) {
  const lacking = missing.filter(({ subject }) => ['all', 'clone', 'spawn'].includes(subject));
  if (lacking.length > 0) {
    const reasons = lacking.map(({ variant, subject, reason }) => `${variant}, ${subject}: ${reason}`);
    throw new Error(`The picture needs every size: ${reasons.join('; ')}`);
  }
  const quantiles = (variant, subject) => {
    const { p10, median, p90 } = find(figures, [variant, 'held', subject]);
    return { p10: Math.round(p10), median: Math.round(median), p90: Math.round(p90) };
  };
  const data = {
    unit: 'ns',
    runs: Math.min(...figures.map((figure) => figure.runs)),
    machine: { cpu, memory, kernel: /^[\d.]+/.exec(kernel)[0], node, hugePages },
    sizes: sizes.map((variant) => ({
      mebibytes: mebibytes(variant),
      clone: quantiles(variant, 'clone'),
      spawn: quantiles(variant, 'spawn'),
    })),
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(figuresFile, `${JSON.stringify(data, undefined, 2)}\n`);
}

/** The kept figures; the contents of the pictures by file name; and what they show in words, the README's `alt`. */
export function drawn() {
  const data = JSON.parse(readFileSync(figuresFile, 'utf8'));
  const pictures = Object.keys(themes).map((theme) => [`held-time-${theme}.svg`, picture(data, theme)]);
  return { data, pictures: Object.fromEntries(pictures), words: finding(data) };
}

/** Draws the pictures from the kept figures, and puts the words into the README. */
export function draw() {
  const { pictures, words } = drawn();
  for (const [name, content] of Object.entries(pictures)) writeFileSync(new URL(name, folder), content);
  const text = readFileSync(readme, 'utf8');
  writeFileSync(
    readme,
    text.replace(/(held-time-light\.svg"[^>]* alt=")[^"]*/, (_, before) => `${before}${words}`),
  );
  return words;
}
