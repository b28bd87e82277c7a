// Medians, p95 and how a figure is judged against its goal.

/** Units in which more is better; everything else is a time. */
const RATES = new Set(['/s']);

/** `p95`: 19 of 20 samples were at least this good; so with the others. */
export function summary(samples, unit = 'ns') {
  const bestFirst = samples.toSorted((a, b) => (RATES.has(unit) ? b - a : a - b));
  return {
    unit,
    runs: samples.length,
    p10: quantile(bestFirst, 0.1),
    median: quantile(bestFirst, 0.5),
    p90: quantile(bestFirst, 0.9),
    p95: quantile(bestFirst, 0.95),
    best: bestFirst[0],
    worst: bestFirst.at(-1),
  };
}

function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  return below + (above - below) * (place - Math.floor(place));
}

/**
 * A goal is data: `of` and `to` (a ratio) or `minus` (a difference, divided by `per`) name figures as
 * `[variant, metric, subject]`, and one with neither is about `of` itself; `atMost` or `atLeast` is the limit, in `unit` where it is not a ratio.
 * `met` is undefined where one of the figures is missing.
 */
export function judge(goal, figures) {
  const median = (place) => find(figures, place)?.median;
  const of = median(goal.of);
  const place = goal.to ?? goal.minus;
  // Without another figure the limit is one for the figure itself.
  const other = place === undefined ? 0 : median(place);
  if (of === undefined || other === undefined) return { ...goal, value: undefined, met: undefined };
  const value = goal.to ? of / other : (of - other) / (goal.per ?? 1);
  return { ...goal, value, met: goal.atMost === undefined ? value >= goal.atLeast : value <= goal.atMost };
}

export function find(figures, [variant, metric, subject]) {
  return figures.find((one) => one.variant === variant && one.metric === metric && one.subject === subject);
}
