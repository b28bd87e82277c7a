// Figures and goals as a person reads them.

const TIMES = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];

export function quantity(value, unit) {
  if (unit !== 'ns') return `${value.toFixed(0)} ${unit}`;
  const [size, name] = TIMES.find(([one]) => Math.abs(value) >= one) ?? TIMES.at(-1);
  return `${threeDigits(value / size)} ${name}`;
}

/** A ratio as `0.081 ×`, a difference as a quantity. */
export function valueText({ value, unit }) {
  if (value === undefined) return '-';
  return unit ? quantity(value, unit) : `${threeDigits(value)} ×`;
}

export function goalText({ atMost, atLeast, unit }) {
  const limit = atMost ?? atLeast;
  return `${atMost === undefined ? '≥' : '≤'} ${unit ? quantity(limit, unit) : `${threeDigits(limit)} ×`}`;
}

/** What a goal compares with: the part of the other figure's name that differs, its subject or else its variant. */
export function otherOf({ of, to, minus }) {
  const place = to ?? minus;
  if (place === undefined) return 'itself';
  const [variant, , subject] = place;
  return subject === of[2] ? variant : subject;
}

export function verdict({ met }) {
  if (met === undefined) return 'not measured';
  return met ? 'met' : 'MISSED';
}

function threeDigits(value) {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
