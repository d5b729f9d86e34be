/** A line chart as SVG text, for a self-contained page. */
export interface Series {
  label: string;
  colour: string;
  points: readonly (readonly [x: number, y: number])[];
  dashed?: boolean;
}

const WIDTH = 560;
const HEIGHT = 240;
const MARGIN = { left: 52, right: 12, top: 14, bottom: 28 };
/** More points than pixels enlarge the file and do not improve the line. */
const MOST_POINTS = 600;

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (mark) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[mark]!);

const thin = (points: Series['points']) => {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, index) => index % every === 0 || index === points.length - 1);
};

const short = (value: number) =>
  value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : String(Number(value.toPrecision(3)));

function bounds(values: readonly number[]): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

export function lineChart(title: string, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return '';
  const xs = all.map(([x]) => x);
  const ys = all.map(([, y]) => y);
  const [x0, x1] = bounds(xs);
  const [yLow, yHigh] = bounds(ys);
  const [y0, y1] = yLow === yHigh ? [yLow - 0.5, yHigh + 0.5] : [yLow, yHigh];
  const px = (x: number) => MARGIN.left + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number) =>
    HEIGHT - MARGIN.bottom - ((y - y0) / (y1 - y0)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = y0 + share * (y1 - y0);
    return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(y)}" y2="${py(y)}" class="grid"/>
<text x="${MARGIN.left - 6}" y="${py(y) + 4}" text-anchor="end">${short(y)}</text>`;
  });
  const lines = series.map(({ colour, points, dashed }) => {
    const path = thin(points).map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`);
    return `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.6"${dashed ? ' stroke-dasharray="4 3"' : ''}/>`;
  });
  const legend = series.map(
    ({ label, colour }) => `<span style="color:${colour}">■</span> ${escapeHtml(label)}`,
  );
  return `<figure><figcaption>${escapeHtml(title)} <small>${legend.join(' ')}</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">
${ticks.join('\n')}
<text x="${MARGIN.left}" y="${HEIGHT - 8}">${short(x0)}</text>
<text x="${WIDTH - MARGIN.right}" y="${HEIGHT - 8}" text-anchor="end">${short(x1)} updates</text>
${lines.join('\n')}
</svg></figure>`;
}
