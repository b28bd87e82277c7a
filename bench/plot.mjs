// The goals as an SVG: how far each result lies from its goal, on a logarithmic scale.
import { goalText, otherOf, valueText, verdict } from './format.mjs';

const WIDTH = 1000;
const LINE = 24;
const LABELS = 430;
const TOP = 70;
/** The picture reaches from ten times better than the goal to ten times worse. */
const DECADES = 1;
const CENTRE = LABELS + (WIDTH - LABELS - 170) / 2;
const DECADE_WIDTH = CENTRE - LABELS - 10;

export function plot({ machine, rows }) {
  const goals = rows.flatMap(({ name, goals: judged }) => judged.map((goal) => ({ name, ...goal })));
  const height = TOP + goals.length * LINE + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${text(10, 24, 'nsclone against its goals', 'font-size="16" font-weight="bold"')}
${text(10, 44, `Node ${machine.node}, Linux ${machine.kernel}, ${machine.cpu}, ${machine.user}`, 'fill="#555"')}
${text(CENTRE - 8, 62, 'better ←', 'text-anchor="end" fill="#555"')}
${text(CENTRE + 8, 62, '→ worse than the goal', 'fill="#555"')}
${goals.map((goal, at) => bar(goal, TOP + at * LINE)).join('\n')}
<line x1="${CENTRE}" y1="${TOP - 4}" x2="${CENTRE}" y2="${height - 24}" stroke="#222"/>
</svg>
`;
}

function bar(goal, y) {
  const { name, of, to, met } = goal;
  const label = text(10, y + 15, `${name}: ${of[0]}, ${of[2]} ${to ? '/' : '−'} ${otherOf(goal)}`);
  const note = text(WIDTH - 10, y + 15, `${valueText(goal)} (${goalText(goal)})`, 'text-anchor="end"');
  if (met === undefined) return `${label}${text(CENTRE + 8, y + 15, verdict(goal), 'fill="#888"')}${note}`;
  const length = distance(goal) * DECADE_WIDTH;
  const x = Math.min(CENTRE, CENTRE + length);
  const colour = met ? '#2a8a4a' : '#c2402e';
  return `${label}<rect x="${x.toFixed(1)}" y="${y + 4}" width="${Math.abs(length).toFixed(1)}" height="14" fill="${colour}"/>${note}`;
}

/** Decades from the goal, negative when better, cut at the edge of the picture. */
function distance({ value, atMost, atLeast }) {
  const decades = atMost === undefined ? Math.log10(atLeast / value) : Math.log10(Math.max(value, 1e-9) / atMost);
  return Math.max(-DECADES, Math.min(DECADES, decades));
}

function text(x, y, content, attributes = '') {
  const escaped = content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
