import { label, line } from './svg.js';

/** From a value to a coordinate. */
export type Scale = (value: number) => number;
type Interval = readonly [from: number, to: number];

/** Maps the domain onto the range, linearly; onto its middle where the domain is one value. */
export function linear([from, to]: Interval, [start, end]: Interval): Scale {
  if (from === to) return () => (start + end) / 2;
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

/** As `linear`, equal ratios being equal distances. */
export function logarithmic([from, to]: Interval, range: Interval): Scale {
  const scale = linear([Math.log(from), Math.log(to)], range);
  return (value) => scale(Math.log(value));
}

/** Places the values side by side, whatever their distance. */
export function places(values: readonly number[], [start, end]: Interval): Scale {
  return (value) => start + ((values.indexOf(value) + 0.5) / values.length) * (end - start);
}

/** The least of 1, 2, 4, 6, 8 times a power of ten that is no less than the value: its quarters are round too. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10);
}

/** Five values from the first to the last, both included. */
export function quarters(from: number, to: number): number[] {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => from + share * (to - from));
}

/** Round numbers in the interval, about six. */
export function roundTicks([from, to]: Interval): number[] {
  const step = niceCeiling((to - from) / 6);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step);
}

/** 1, 2 and 5 times powers of ten in the interval. */
export function logarithmicTicks([from, to]: Interval): number[] {
  const powers = Array.from({ length: 24 }, (_, i) => 10 ** (i - 8));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((tick) => tick >= from && tick <= to);
}

/** A line across at each tick, its value before it. */
export function rows(
  ticks: readonly number[],
  y: Scale,
  [left, right]: Interval,
  format: (tick: number) => string,
  className: (tick: number) => string = () => 'grid',
): string {
  const anchor = { class: 'tick', 'text-anchor': 'end' };
  return ticks
    .map(
      (tick) =>
        line(left, y(tick), right, y(tick), className(tick)) + label(left - 10, y(tick) + 4, format(tick), anchor),
    )
    .join('');
}

/** A line down at each tick. */
export function columns(ticks: readonly number[], x: Scale, [top, bottom]: Interval): string {
  return ticks.map((tick) => line(x(tick), top, x(tick), bottom, 'grid')).join('');
}

/** The values of the ticks below `bottom`. */
export function valuesBelow(
  ticks: readonly number[],
  x: Scale,
  bottom: number,
  format: (tick: number) => string,
): string {
  const anchor = { class: 'tick', 'text-anchor': 'middle' };
  return ticks.map((tick) => label(x(tick), bottom + 20, format(tick), anchor)).join('');
}

/** What is drawn along x, below the values of its ticks. */
export function xName(name: string, [left, right]: Interval, bottom: number): string {
  return label((left + right) / 2, bottom + 44, name, { class: 'axis', 'text-anchor': 'middle' });
}

/** What is drawn along y, at the left edge. */
export function yName(name: string, [top, bottom]: Interval): string {
  const turned = `translate(14 ${(top + bottom) / 2}) rotate(-90)`;
  return label(0, 0, name, { class: 'axis', 'text-anchor': 'middle', transform: turned });
}
