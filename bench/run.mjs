// `npm run bench`: runs the rows one after the other, each variant in a fresh process, and reports.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { freemem } from 'node:os';
import { json as jsonOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildFloor } from './floor.mjs';
import * as heldTime from './held-time.mjs';
import { machine } from './machine.mjs';
import { report } from './report.mjs';

const RUNS = 50;
const QUICK_RUNS = 10;
/** Above this load the figures are not to be trusted. */
const QUIET = 0.5;

/** The order of the table; a file of rows/ that is not named here comes after these. */
const ORDER = [
  'held',
  'options',
  'descriptors',
  'first',
  'container',
  'bwrap',
  'delay',
  'exit',
  'output',
  'throughput',
  'seccomp',
];

const USAGE = `Usage: node bench/run.mjs [--only ROW,…] [--quick] [--json]
       node bench/run.mjs --picture [--quick]   measures and draws the README's picture anew
       node bench/run.mjs --redraw              draws it from the figures that are kept
Rows: ${names().join(', ')}`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    picture: { type: 'boolean', default: false },
    redraw: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit();
}
if ((options.picture || options.redraw) && (options.only !== undefined || options.json)) {
  console.error(`--picture and --redraw take neither --only nor --json.\n${USAGE}`);
  process.exit(2);
}

const where = machine(); // before the load that we make
if (options.picture) await measurePicture();
if (options.picture || options.redraw) console.log(heldTime.draw());
else await measureRows();

async function measurePicture() {
  const { sizes, runs } = heldTime;
  const row = await run('held', { variants: sizes, runs: Object.fromEntries(sizes.map((size) => [size, runs])) });
  heldTime.keep(row, where);
  if (where.load > QUIET) {
    console.error(
      `The load was ${where.load} before this: if that was not the build, these figures are not to be kept.`,
    );
  }
}

async function measureRows() {
  try {
    buildFloor();
  } catch (error) {
    console.error(`The C floor is not built: ${error.message}`);
  }
  const rows = [];
  for (const name of chosen()) rows.push(await run(name));
  report({ machine: where, quick: options.quick, rows }, options);
}

function names() {
  const found = readdirSync(new URL('rows/', import.meta.url)).map((file) => file.replace(/\.mjs$/, ''));
  return [...ORDER.filter((name) => found.includes(name)), ...found.filter((name) => !ORDER.includes(name))];
}

function chosen() {
  if (options.only === undefined) return names();
  const wanted = options.only.split(',');
  const unknown = wanted.filter((name) => !names().includes(name));
  if (unknown.length > 0) {
    console.error(`No row ${unknown.join(', ')}.\n${USAGE}`);
    process.exit(2);
  }
  return names().filter((name) => wanted.includes(name));
}

/** With `other` variants and runs than the row's own. */
async function run(name, other = {}) {
  const { title, variants, runs = {}, needs, goals } = { ...(await import(`./rows/${name}.mjs`)), ...other };
  const row = { name, title, figures: [], missing: [], goals };
  for (const variant of variants) {
    const lacking = needs ? needs(variant) - freemem() : 0;
    if (lacking > 0) {
      row.missing.push({ variant, subject: 'all', reason: `${(lacking / 2 ** 20).toFixed(0)} MB of memory short` });
      continue;
    }
    const full = runs[variant] ?? RUNS;
    const { figures, missing } = await inFreshProcess(name, variant, options.quick ? Math.min(full, QUICK_RUNS) : full);
    row.figures.push(...figures);
    row.missing.push(...missing);
  }
  return row;
}

async function inFreshProcess(name, variant, rounds) {
  const script = fileURLToPath(new URL('row.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, name, variant, rounds], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const answer = await jsonOf(child.stdout).catch(() => undefined);
  const [code, signal] = await ended;
  if (answer && code === 0) return answer;
  return {
    figures: [],
    missing: [{ variant, subject: 'all', reason: `the row's process ended with ${signal ?? `code ${code}`}` }],
  };
}
