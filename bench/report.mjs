// One table on stdout, and the same as JSON and as a plot under bench/results/.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { goalText, otherOf, quantity, valueText, verdict } from './format.mjs';
import { plot } from './plot.mjs';
import { find, judge } from './statistics.mjs';

const HEAD = ['', 'median', 'p95', 'runs', 'result', 'against', 'goal', ''];
const ENOUGH_RUNS = 50;

export function report({ machine, quick, rows }, { json }) {
  const judged = rows.map((row) => ({ ...row, goals: row.goals.map((goal) => judge(goal, row.figures)) }));
  const result = { machine, quick, rows: judged };
  console.log(json ? JSON.stringify(result, undefined, 2) : table(result));
  write(result);
}

function table({ machine, quick, rows }) {
  const lines = rows.flatMap((row) => [[row.title], ...rowLines(row), []]);
  const widths = HEAD.map((head, column) =>
    Math.max(head.length, ...lines.filter((cells) => cells.length > 1).map((cells) => (cells[column] ?? '').length)),
  );
  const aligned = [HEAD, ...lines].map((cells) =>
    (cells.length === 1
      ? cells[0]
      : cells.map((cell, at) => (at >= 1 && at <= 4 ? cell.padStart(widths[at]) : cell.padEnd(widths[at]))).join('  ')
    ).trimEnd(),
  );
  const goals = rows.flatMap((row) => row.goals);
  const count = (wanted) => goals.filter(({ met }) => met === wanted).length;
  return [
    `nsclone ${machine.nsclone}, Node ${machine.node}, Linux ${machine.kernel}, ${machine.cpu}, ${machine.user}, load ${machine.load}` +
      (quick ? ', a quick run: too few runs to rely on' : ''),
    '',
    ...aligned,
    ...rows.flatMap(missingLines),
    `Goals: ${count(true)} met, ${count(false)} missed, ${count(undefined)} not measured.` +
      (rows.some(({ figures }) => figures.some(({ runs }) => runs < ENOUGH_RUNS))
        ? ` (* fewer than ${ENOUGH_RUNS} runs)`
        : ''),
  ].join('\n');
}

/** A line a figure; its first goal beside it, further ones below. A goal without its figure still gets a line. */
function rowLines({ figures, goals }) {
  const isAbout = (figure) => (goal) => find([figure], goal.of) !== undefined;
  const measured = figures.flatMap((figure) => {
    const [first = [], ...more] = goals.filter(isAbout(figure)).map(goalCells);
    const { variant, metric, subject, median, p95, runs, unit } = figure;
    const values = [quantity(median, unit), quantity(p95, unit), `${runs}${runs < ENOUGH_RUNS ? '*' : ''}`];
    return [
      [`  ${variant}, ${metric}: ${subject}`, ...values, ...first],
      ...more.map((cells) => ['', '', '', '', ...cells]),
    ];
  });
  const unmeasured = goals
    .filter((goal) => !figures.some((figure) => isAbout(figure)(goal)))
    .map((goal) => [`  ${goal.of[0]}, ${goal.of[1]}: ${goal.of[2]}`, '-', '-', '0', ...goalCells(goal)]);
  return [...measured, ...unmeasured];
}

const goalCells = (goal) => [valueText(goal), otherOf(goal), goalText(goal), verdict(goal)];

const missingLines = ({ name, missing }) =>
  missing.map(({ variant, subject, reason }) => `Missing in ${name} (${variant}): ${subject}: ${reason}`);

function write(result) {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}bench.json`, `${JSON.stringify(result, undefined, 2)}\n`);
    writeFileSync(`${folder}bench.svg`, plot(result));
    console.error(`Written: bench/results/bench.json, bench/results/bench.svg`);
  } catch (error) {
    console.error(`Not written: ${error.message}`);
  }
}
