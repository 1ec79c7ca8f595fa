import {
  linear,
  logarithmic,
  logarithmicTicks,
  niceCeiling,
  places,
  quarters,
  roundTicks,
  rows,
  valuesBelow,
  xName,
  yName,
  type Scale,
} from './axes.js';
import { colours } from './style.js';
import { drawing, element, escapeXml, label, tooltip } from './svg.js';

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

/** Of every plot, in the units of its own coordinates. */
export const width = 720;
const height = 360;
const [left, right, top, bottom] = [64, width - 24, 16, height - 54];

/** A line plot with its legend. */
export function linePlot(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const yMax = plot.yMax ?? niceCeiling(Math.max(...points.map(({ y }) => y)));
  const { x, ticks } = horizontal(plot.xScale, xs);
  const y = linear([0, yMax], [bottom, top]);
  const lines = plot.series.map((series, i) => {
    const steps = series.points.map((point, k) => `${k === 0 ? 'M' : 'L'}${px(x(point.x))} ${px(y(point.y))}`);
    const dots = series.points.map((point) =>
      element('circle', { class: `dot ${colour(i)}`, cx: x(point.x), cy: y(point.y), r: 4.5 }, tooltip(point.label)),
    );
    return element('path', { class: `line ${colour(i)}`, d: steps.join('') }) + (plot.dots ? dots.join('') : '');
  });
  return (
    legend(plot.series.map(({ name }, i) => [colour(i), name])) +
    drawing(
      width,
      height,
      plot.title,
      rows(quarters(0, yMax), y, [left, right], compact),
      valuesBelow(ticks, x, bottom, compact),
      xName(plot.xLabel, [left, right], bottom),
      yName(plot.yLabel, [top, bottom]),
      ...lines,
    )
  );
}

/** Horizontal bars in groups, with their legend. */
export function barPlot(title: string, bars: readonly Bar[]): string {
  const names = [...new Set(bars.map(({ name }) => name))];
  const groups = [...new Set(bars.map(({ group }) => group))];
  const most = Math.max(...bars.map(({ value }) => value));
  const indent = 12;
  const longest = width - indent - 170;
  const marks: string[] = [];
  let y = 4;
  for (const group of groups) {
    marks.push(label(indent, y + 14, group, { class: 'group' }));
    y += 26;
    for (const bar of bars.filter((bar) => bar.group === group)) {
      const length = Math.max(2, (bar.value / most) * longest);
      const shape = { x: indent, y, width: length, height: 16, rx: 3, class: `bar ${colour(names.indexOf(bar.name))}` };
      marks.push(
        element('rect', shape, tooltip(`${bar.name}: ${bar.label}`)),
        label(indent + length + 8, y + 12.5, bar.label, { class: 'value' }),
      );
      y += 22;
    }
    y += 10;
  }
  return legend(names.map((name, i) => [colour(i), name])) + drawing(width, y, title, ...marks);
}

/** What the colours of a drawing mean: classes of the style sheet, and names. */
export function legend(entries: readonly (readonly [className: string, name: string])[]): string {
  const items = entries.map(([className, name]) => `<li><i class="${className}"></i>${escapeXml(name)}</li>`);
  return `<ul class="legend">${items.join('')}</ul>`;
}

/** The x axis, with the values themselves for ticks where they are few, else round numbers between them. */
function horizontal(kind: Plot['xScale'], xs: readonly number[]): { x: Scale; ticks: number[] } {
  const range = [left + 16, right - 16] as const;
  const domain = [xs[0]!, xs.at(-1)!] as const;
  const few = xs.length <= 6 ? [...xs] : undefined;
  if (kind === 'points') return { x: places(xs, range), ticks: [...xs] };
  if (kind === 'log') return { x: logarithmic(domain, range), ticks: few ?? logarithmicTicks(domain) };
  return { x: linear(domain, range), ticks: few ?? roundTicks(domain) };
}

function colour(series: number): string {
  return `c${series % colours}`;
}

function compact(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return Number(value.toPrecision(3)).toLocaleString('en-US');
}

function px(value: number): string {
  return value.toFixed(1);
}
