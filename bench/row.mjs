// One variant of one row in a process of its own (a clean heap): `node bench/row.mjs held '1 GB' 50`, JSON on stdout.
import { summary } from './statistics.mjs';

const [, , name, variant, rounds] = process.argv;
const row = await import(`./rows/${name}.mjs`);
const missing = [];
const progress = progressOf(`${name}, ${variant}`);
const figures = await row.measure(variant, { rounds: Number(rounds), missing, progress });
process.stdout.write(
  JSON.stringify({
    figures: figures.map(({ metric, subject, samples }) => ({
      variant,
      metric,
      subject,
      ...summary(samples, row.units?.[metric] ?? row.unit),
    })),
    missing: missing.map((entry) => ({ variant, ...entry })),
  }),
);

/** On a terminal one line that moves, in a log one line a quarter. */
function progressOf(label) {
  let quarter = -1;
  return (done, all) => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${label}: ${done}/${all}\x1b[K${done === all ? '\n' : ''}`);
    } else if (Math.floor((4 * done) / all) > quarter) {
      quarter = Math.floor((4 * done) / all);
      process.stderr.write(`${label}: ${done}/${all}\n`);
    }
  };
}
