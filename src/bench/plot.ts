import { drawing, element, escapeXml, label as text, line, tooltip } from '../svg.js';

/** One line of a plot; its colour follows from its place among the series. */
export interface Series {
  name: string;
  points: { x: number; y: number; label: string }[];
}

export interface Plot {
  title: string;
  xLabel: string;
  yLabel: string;
  series: readonly Series[];
  /** `points` places the distinct x side by side, whatever their distance. */
  xScale: 'linear' | 'log' | 'points';
  /** The top of the y axis. @default above the largest y */
  yMax?: number;
  /** Whether points are drawn, beside the line. */
  dots: boolean;
}

export interface Bar {
  group: string;
  name: string;
  value: number;
  label: string;
}

const width = 640;
const height = 320;
const margin = { left: 64, right: 24, top: 16, bottom: 48 };
/** Colours in the page's style sheet. */
const colours = 8;

/** A line plot as a figure with inline SVG. */
export function linePlot(plot: Plot): string {
  const xs = [...new Set(plot.series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const yMax = plot.yMax ?? niceCeiling(Math.max(...plot.series.flatMap(({ points }) => points.map(({ y }) => y))));
  const scaleX = xScale(plot.xScale, xs);
  const scaleY = (y: number) => height - margin.bottom - (y / yMax) * (height - margin.top - margin.bottom);
  const grid = ticks(yMax).map(
    (y) =>
      line(margin.left, scaleY(y), width - margin.right, scaleY(y), 'grid') +
      text(margin.left - 8, scaleY(y) + 4, compact(y), { class: 'tick', 'text-anchor': 'end' }),
  );
  const marks = xTicks(plot.xScale, xs).map((x) =>
    text(scaleX(x), height - margin.bottom + 18, compact(x), { class: 'tick', 'text-anchor': 'middle' }),
  );
  const lines = plot.series.map(({ points }, i) => {
    const colour = `c${i % colours}`;
    const steps = points.map(({ x, y }, k) => `${k === 0 ? 'M' : 'L'}${px(scaleX(x))} ${px(scaleY(y))}`);
    const dots = points.map(({ x, y, label }) =>
      element('circle', { class: `dot ${colour}`, cx: scaleX(x), cy: scaleY(y), r: 4.5 }, tooltip(label)),
    );
    return element('path', { class: `line ${colour}`, d: steps.join('') }) + (plot.dots ? dots.join('') : '');
  });
  const axis = { class: 'axis', 'text-anchor': 'middle' };
  const middle = (height - margin.bottom + margin.top) / 2;
  return figure(
    plot.title,
    plot.series.map(({ name }) => name),
    drawing(
      width,
      height,
      plot.title,
      ...grid,
      ...marks,
      text((margin.left + width - margin.right) / 2, height - 8, plot.xLabel, axis),
      text(0, 0, plot.yLabel, { ...axis, transform: `translate(14 ${middle}) rotate(-90)` }),
      ...lines,
    ),
  );
}

/** Horizontal bars in groups as a figure with inline SVG. */
export function barPlot(title: string, bars: readonly Bar[]): string {
  const names = [...new Set(bars.map(({ name }) => name))];
  const groups = [...new Set(bars.map(({ group }) => group))];
  const most = Math.max(...bars.map(({ value }) => value));
  const left = 12;
  const longest = width - left - 150;
  const rows: string[] = [];
  let y = 4;
  for (const group of groups) {
    rows.push(text(left, y + 14, group, { class: 'group' }));
    y += 24;
    for (const { name, value, label } of bars.filter((bar) => bar.group === group)) {
      const length = Math.max(2, (value / most) * longest);
      const colour = `c${names.indexOf(name) % colours}`;
      rows.push(
        element(
          'rect',
          { class: `bar ${colour}`, x: left, y, width: length, height: 16, rx: 3 },
          tooltip(`${name}: ${label}`),
        ),
        text(left + length + 8, y + 12.5, label, { class: 'value' }),
      );
      y += 22;
    }
    y += 10;
  }
  return figure(title, names, drawing(width, y, title, ...rows));
}

function figure(title: string, names: readonly string[], content: string): string {
  const legend = names
    .map((name, i) => `<li><span class="key c${i % colours}"></span>${escapeXml(name)}</li>`)
    .join('');
  return `<figure><figcaption>${escapeXml(title)}</figcaption><ul class="legend">${legend}</ul>${content}</figure>`;
}

function xScale(kind: Plot['xScale'], xs: readonly number[]): (x: number) => number {
  const [from, to] = [margin.left + 16, width - margin.right - 16];
  const [least, most] = [xs[0]!, xs.at(-1)!];
  if (kind === 'points') return (x) => from + ((xs.indexOf(x) + 0.5) / xs.length) * (to - from);
  if (most === least) return () => (from + to) / 2;
  const at = kind === 'log' ? Math.log : (x: number) => x;
  return (x) => from + ((at(x) - at(least)) / (at(most) - at(least))) * (to - from);
}

/** The x themselves where they are few, else round numbers between them. */
function xTicks(kind: Plot['xScale'], xs: readonly number[]): number[] {
  if (kind === 'points' || xs.length <= 6) return [...xs];
  const [least, most] = [xs[0]!, xs.at(-1)!];
  if (kind === 'log') {
    const powers = Array.from({ length: 24 }, (_, i) => 10 ** (i - 8));
    return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((x) => x >= least && x <= most);
  }
  const step = niceCeiling((most - least) / 6);
  return Array.from(
    { length: Math.floor(most / step) - Math.ceil(least / step) + 1 },
    (_, i) => (Math.ceil(least / step) + i) * step,
  );
}

/** The least of 1, 2, 4, 6, 8 times a power of ten that is no less than the value: its quarters are round too. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10);
}

function ticks(most: number): number[] {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => share * most);
}

function compact(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return Number(value.toPrecision(3)).toLocaleString('en-US');
}

function px(value: number): string {
  return value.toFixed(1);
}
