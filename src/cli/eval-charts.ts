import type { Comparison } from '../evaluation/compare.js';
import { isRelevant } from '../evaluation/judged-ranking.js';
import type { DatasetResult } from './eval-summary.js';
import { columns, linear, quarters, rows, valuesBelow, xName, yName } from '../report/axes.js';
import { width } from '../report/plots.js';
import { drawing, element, label, line, tooltip } from '../report/svg.js';

/** One measure before and after, a row a dataset; the bar around "after" is the interval of the change. */
export function beforeAfterChart(compared: readonly { name: string; comparison: Comparison }[]): string {
  const [left, right, top, rowHeight] = [130, 70, 14, 42];
  const bottom = top + compared.length * rowHeight;
  const values = compared.flatMap(({ comparison: { before, after, interval } }) => [
    before,
    after,
    before + interval.low,
    before + interval.high,
  ]);
  const from = Math.max(0, Math.floor(10 * Math.min(...values) - 0.2) / 10);
  const to = Math.min(1, Math.ceil(10 * Math.max(...values) + 0.2) / 10);
  const x = linear([from, to], [left, width - right]);
  const tenths = Array.from({ length: Math.round(10 * (to - from)) + 1 }, (_, i) => from + i / 10);
  const grid = columns(tenths, x, [top, bottom]) + valuesBelow(tenths, x, bottom, (value) => value.toFixed(1));
  const marks = compared.map(({ name, comparison: { before, after, change, interval } }, i) => {
    const y = top + (i + 0.5) * rowHeight;
    const [low, high] = [interval.low, interval.high].map((value) =>
      x(Math.min(to, Math.max(from, before + value))),
    ) as [number, number];
    return element(
      'g',
      {},
      tooltip(
        `${name}: ${before.toFixed(4)} before, ${after.toFixed(4)} after, ` +
          `${signed(change, 4)} (${signed(interval.low, 4)} to ${signed(interval.high, 4)})`,
      ),
      label(left - 16, y + 5, name, { class: 'name', 'text-anchor': 'end' }),
      element('rect', { x: low, y: y - 7, width: high - low, height: 14, rx: 7, class: 'interval' }),
      line(x(before), y, x(after), y, 'link'),
      element('circle', { cx: x(before), cy: y, r: 6, class: 'before' }),
      element('circle', { cx: x(after), cy: y, r: 7, class: 'after' }),
      label(width - right + 14, y + 5, signed(change, 3), { class: 'value' }),
    );
  });
  return drawing(width, bottom + 30, 'The measure before and after reranking', grid, ...marks);
}

/** Where relevant documents stood and where they stand; a bubble's area is their number. */
export function rankMovementChart(results: readonly DatasetResult[]): string {
  const [left, top, side, margin] = [60, 4, 440, 26];
  const bubbles = new Map<string, { from: number; to: number; count: number }>();
  for (const { qrels, hits: found } of results) {
    for (const [query, hits] of found) {
      for (const { id, retrievalRank: from, rank: to } of hits) {
        if (!isRelevant(qrels.get(query)?.get(id) ?? 0)) continue;
        const key = `${from} ${to}`;
        const bubble = bubbles.get(key) ?? { from, to, count: 0 };
        bubbles.set(key, { ...bubble, count: bubble.count + 1 });
      }
    }
  }
  const all = [...bubbles.values()].sort((a, b) => b.count - a.count);
  const last = Math.max(10, ...all.flatMap(({ from, to }) => [from, to]));
  const scale = linear([0, Math.log2(last)], [margin, side - margin]);
  const x = (rank: number): number => left + scale(Math.log2(rank));
  const y = (rank: number): number => top + scale(Math.log2(rank));
  const radius = linear([0, Math.sqrt(Math.max(4, all[0]?.count ?? 0))], [1.5, 22]);
  const total = (moved: (bubble: { from: number; to: number }) => boolean): number =>
    all.filter(moved).reduce((sum, { count }) => sum + count, 0);
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((rank) => rank <= last);
  const [bottom, end] = [top + side, left + side];
  const grid =
    columns(ticks, x, [top, bottom]) + rows(ticks, y, [left, end], String) + valuesBelow(ticks, x, bottom, String);
  const marks = all.map(({ from, to, count }) =>
    element(
      'circle',
      { cx: x(from), cy: y(to), r: radius(Math.sqrt(count)), class: to < from ? 'up' : to > from ? 'down' : 'same' },
      tooltip(`rank ${from} before, ${to} after: ${count} ${count === 1 ? 'document' : 'documents'}`),
    ),
  );
  const legend = [
    ['up', 'moved up', total(({ from, to }) => to < from)],
    ['same', 'stayed', total(({ from, to }) => to === from)],
    ['down', 'moved down', total(({ from, to }) => to > from)],
  ] as const;
  const key = legend.map(([className, text, number], i) => {
    const height = top + 24 + i * 54;
    return (
      element('circle', { cx: end + 50, cy: height - 6, r: 8, class: className }) +
      label(end + 70, height + 2, String(number), { class: 'big' }) +
      label(end + 70, height + 20, text, { class: 'tick' })
    );
  });
  return drawing(
    width,
    bottom + 50,
    'Rank of each relevant document before and after reranking',
    grid,
    line(left, top, end, bottom, 'diagonal'),
    ...marks,
    ...key,
    xName('rank before', [left, end], bottom),
    yName('rank after', [top, bottom]),
  );
}

/** How the scores of relevant and of other candidates are spread, each as shares of its own kind. */
export function scoreChart(results: readonly DatasetResult[]): string {
  const bins = 25;
  const [left, right, top, height] = [56, 20, 14, 220];
  const scores = { relevant: [] as number[], other: [] as number[] };
  for (const { qrels, hits: found } of results) {
    for (const [query, hits] of found) {
      for (const { id, score } of hits)
        scores[isRelevant(qrels.get(query)?.get(id) ?? 0) ? 'relevant' : 'other'].push(score);
    }
  }
  const shares = (values: readonly number[]): number[] => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor(value * bins))]!++;
    return counts.map((count) => count / Math.max(1, values.length));
  };
  const kinds = [
    { className: 'other', name: 'not relevant', values: scores.other, shares: shares(scores.other) },
    { className: 'relevant', name: 'relevant', values: scores.relevant, shares: shares(scores.relevant) },
  ];
  // A quarter of it is a whole number of hundredths.
  const highest = Math.ceil(25 * Math.max(0.04, ...kinds.flatMap((kind) => kind.shares))) / 25;
  const x = linear([0, 1], [left, width - right]);
  const y = linear([0, highest], [top + height, top]);
  const bottom = top + height;
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const areas = kinds.map(({ className, name, values, shares }) => {
    const steps = shares
      .map((share, i) => `H${x(i / bins).toFixed(2)}V${y(share).toFixed(2)}H${x((i + 1) / bins).toFixed(2)}`)
      .join('');
    return element(
      'path',
      { d: `M${x(0)} ${y(0)}${steps}V${y(0)}Z`, class: `area ${className}` },
      tooltip(`${name}: ${values.length} pairs`),
    );
  });
  return drawing(
    width,
    bottom + 50,
    'Scores of relevant and of other candidates',
    rows(quarters(0, highest), y, [left, width - right], percent),
    ...areas,
    valuesBelow([0, 0.2, 0.4, 0.6, 0.8, 1], x, bottom, (score) => score.toFixed(1)),
    xName('score', [left, width - right], bottom),
  );
}

/** The change of each query, from the greatest gain to the greatest loss. */
export function queryChangeChart({ differences }: Comparison, textOf: (query: string) => string): string {
  const [left, right, top, height] = [56, 20, 14, 200];
  const sorted = [...differences].sort(([, a], [, b]) => b - a);
  const limit = Math.max(0.05, ...sorted.map(([, value]) => Math.abs(value)));
  const x = linear([0, sorted.length], [left, width - right]);
  const y = linear([-limit, limit], [top + height, top]);
  const gap = Math.min(2, (x(1) - x(0)) * 0.2);
  const grid = rows(
    quarters(-limit, limit),
    y,
    [left, width - right],
    (change) => signed(change, 2),
    (change) => (change === 0 ? 'zero' : 'grid'),
  );
  const bars = sorted.map(([query, value], i) =>
    element(
      'rect',
      {
        x: x(i) + gap / 2,
        y: Math.min(y(0), y(value)),
        width: x(1) - x(0) - gap,
        height: Math.max(Math.abs(y(value) - y(0)), 1),
        class: value > 0 ? 'up' : value < 0 ? 'down' : 'same',
      },
      tooltip(`${signed(value, 4)}  ${textOf(query)}`),
    ),
  );
  return drawing(width, top + height + 14, 'Change of each query', grid, ...bars);
}

/** With a sign, but for 0. */
export function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`;
}
