// Draws held time over the size of the process as an SVG, both axes logarithmic, and says in words what it shows.
import { quantity } from './format.mjs';

const WIDTH = 720;
const HEIGHT = 412;
/** To the right is room for the longer name in the widest of the fonts. */
const PLOT = { left: 64, right: 530, top: 78, bottom: 324 };

/** The colours of a page on GitHub; a picture paints its own page, so that it can be read on any other. */
export const themes = {
  light: { page: '#ffffff', text: '#1f2328', muted: '#59636e', grid: '#d1d9e0', clone: '#0969da', spawn: '#bc4c00' },
  dark: { page: '#0d1117', text: '#f0f6fc', muted: '#9198a1', grid: '#2f353d', clone: '#58a6ff', spawn: '#f0883e' },
};

const LINES = [
  { subject: 'spawn', name: 'child_process.spawn()' },
  { subject: 'clone', name: 'clone()' },
];

const TITLE = 'How long starting a child holds the JavaScript thread';

/** What the picture shows, for who does not see it. */
export function finding({ sizes }) {
  const [first, last] = [sizes[0], sizes.at(-1)];
  const ends = LINES.toReversed().map(
    ({ subject, name }) => `${name} for ${time(first[subject].median)} and ${time(last[subject].median)}`,
  );
  return (
    `How long starting a child holds the JavaScript thread of a process with ${size(first)} ` +
    `and of one with ${size(last)} of touched Buffers: ${ends.join(', ')}.`
  );
}

/** The SVG for one of the themes. */
export function picture(data, theme) {
  const colours = themes[theme];
  const x = scale(
    data.sizes.map(({ mebibytes }) => mebibytes),
    [PLOT.left + 12, PLOT.right],
  );
  const times = data.sizes.flatMap((one) => LINES.flatMap(({ subject }) => [one[subject].p10, one[subject].p90]));
  const bounds = [roundDown(Math.min(...times)), roundUp(Math.max(...times))];
  const y = scale(bounds, [PLOT.bottom, PLOT.top]);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title description" font-family="-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif" font-size="13" fill="${colours.muted}">
<title id="title">${escaped(TITLE)}</title>
<desc id="description">${escaped(finding(data))}</desc>
<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="${colours.page}"/>
${text(16, 30, TITLE, `font-size="17" font-weight="600" fill="${colours.text}"`)}
${text(16, 52, `Median of ${data.runs} starts of /bin/true, until it is known to run; the band is p10 to p90. Both axes are logarithmic.`, 'font-size="12"')}
${timeAxis(bounds, y, colours)}
${sizeAxis(data.sizes, x, colours)}
${LINES.map((line) => curve(line, data.sizes, x, y, colours)).join('\n')}
${text(16, HEIGHT - 14, machineText(data.machine), 'font-size="11"')}
</svg>
`;
}

function timeAxis([lowest, highest], y, { grid }) {
  const decades = Array.from({ length: 12 }, (_, power) => 10 ** power).filter((at) => at > lowest && at < highest);
  const all = [lowest, ...decades, highest];
  const lines = all.map((at) => `M${PLOT.left} ${fixed(y(at))}H${PLOT.right}`);
  const names = all.map((at) => text(PLOT.left - 8, y(at) + 4.5, time(at)));
  return axis(lines, names, grid, 'end');
}

function sizeAxis(sizes, x, { grid }) {
  const places = sizes.map(({ mebibytes }) => x(mebibytes));
  const lines = places.map((place) => `M${fixed(place)} ${PLOT.bottom}v5`);
  const names = sizes.map((one, index) => text(places[index], PLOT.bottom + 21, size(one)));
  const middle = (PLOT.left + PLOT.right) / 2;
  const title = text(middle, PLOT.bottom + 44, 'Touched Buffers of the Node process');
  return axis(lines, [...names, title], grid, 'middle');
}

const axis = (lines, names, grid, anchor) =>
  `<path d="${lines.join('')}" stroke="${grid}"/>\n<g text-anchor="${anchor}">${names.join('\n')}</g>`;

/** The band, the line with its points, the figure at its beginning, and name and figure at its end. */
function curve({ subject, name }, sizes, x, y, colours) {
  const colour = colours[subject];
  const at = (quantile) => sizes.map((one) => `${fixed(x(one.mebibytes))},${fixed(y(one[subject][quantile]))}`);
  const points = at('median').map((place) => `M${place.replace(',', ' ')}h0`);
  const [first, last] = [sizes[0], sizes.at(-1)];
  // Above the band as far as the figure reaches.
  const beginHeight = Math.min(...sizes.slice(0, 2).map((one) => y(one[subject].p90)));
  const end = PLOT.right + 12;
  const endHeight = y(last[subject].median);
  return `<polygon points="${[...at('p90'), ...at('p10').toReversed()].join(' ')}" fill="${colour}" fill-opacity="0.2"/>
<polyline points="${at('median').join(' ')}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>
<path d="${points.join('')}" stroke="${colour}" stroke-width="7" stroke-linecap="round"/>
<g font-weight="600" fill="${colour}">${text(x(first.mebibytes), beginHeight - 9, time(first[subject].median))}
${text(end, endHeight - 3, name)}
${text(end, endHeight + 15, time(last[subject].median))}</g>`;
}

function machineText({ cpu, memory, kernel, node, hugePages }) {
  return `${cpu}, ${memory}; Linux ${kernel}, transparent huge pages: ${hugePages}; Node ${node}`;
}

/** A logarithmic scale from the least to the greatest of some values. */
function scale(values, [from, to]) {
  const least = Math.log(Math.min(...values));
  const greatest = Math.log(Math.max(...values));
  return (value) => from + ((to - from) * (Math.log(value) - least)) / (greatest - least);
}

// The nearest of 1, 2, 5, 10, 20, … on either side.
const roundDown = (value) => around(value).findLast((step) => step <= value);
const roundUp = (value) => around(value).find((step) => step >= value);

function around(value) {
  const power = Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * 10 ** power);
}

const time = (nanoseconds) => quantity(nanoseconds, 'ns');

const size = ({ mebibytes }) => (mebibytes < 1024 ? `${mebibytes} MB` : `${mebibytes / 1024} GB`);

const fixed = (value) => value.toFixed(1).replace('.0', '');

const escaped = (content) => content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const text = (x, y, content, attributes = '') =>
  `<text x="${fixed(x)}" y="${fixed(y)}"${attributes && ` ${attributes}`}>${escaped(content)}</text>`;
