import type { Comparison } from '../evaluation/compare.js';
import { renderPage, row, section, table } from '../report/page.js';
import { legend } from '../report/plots.js';
import { escapeXml } from '../report/svg.js';
import { beforeAfterChart, queryChangeChart, rankMovementChart, scoreChart, signed } from './eval-charts.js';
import type { DatasetResult, Summary } from './eval-summary.js';

/** Queries in each of the tables of gains and losses. */
const examples = 5;

/** The summary as one HTML page that needs nothing else: no script, no network. */
export function reportPage(summary: Summary): string {
  const { setting, datasets, overall } = summary;
  const main = overall[0]!;
  const names = datasets.map(({ name }) => name).join(', ');
  const textOf = queryTexts(datasets);
  const rows = datasets.map(({ name, comparisons }) => ({ name, comparison: comparisons[0]! }));
  if (rows.length > 1) rows.push({ name: 'all', comparison: main });
  const sections = [
    section(
      `${main.measure}, before and after`,
      'The bar is the 95 % interval of the change, drawn from the value before.',
      legend([
        ['before', 'before'],
        ['after', 'after'],
        ['interval', '95 % interval of the change'],
      ]) + beforeAfterChart(rows),
    ),
    section(
      'Figures',
      'The interval is that of the change, by the bootstrap; p is that of the paired randomization test.',
      figures(summary),
    ),
    section(
      'Rank of the relevant documents',
      'Above the line, reranking moved them up. Area tells how many.',
      rankMovementChart(datasets),
    ),
    section(
      'Scores',
      'Shares of the relevant candidates and of the others. ' +
        'The less they overlap, the better the reranker tells them apart.',
      legend([
        ['relevant', 'relevant'],
        ['other', 'not relevant, or not judged'],
      ]) + scoreChart(datasets),
    ),
    section(
      `Change of ${main.measure}, query by query`,
      `${main.improved} queries gained, ${main.unchanged} stayed, ${main.worsened} lost.`,
      queryChangeChart(main, textOf) + extremes(main, textOf),
    ),
  ];
  return renderPage({
    title: `${names}: before and after reranking`,
    heading: 'Before and after reranking',
    lead:
      `${escapeXml(names)}: the best ${setting.candidates} documents of <b>${escapeXml(setting.retriever)}</b>, ` +
      `put in a new order by <b>${escapeXml(setting.reranker)}</b>.`,
    tiles: tiles(main, datasets),
    sections,
    footer:
      `Convention ${setting.convention}, split ${setting.split}. Both orders hold the same retrieved documents, so ` +
      'reranking cannot find what retrieval missed. Documents without a judgement count as irrelevant. Nothing here ' +
      'corrects for looking at several measures.',
  });
}

function tiles(main: Comparison, datasets: readonly DatasetResult[]): [value: string, name: string][] {
  const pairs = datasets.reduce((sum, { pairs }) => sum + pairs, 0);
  const seconds = datasets.reduce((sum, { seconds }) => sum + seconds.rerank, 0);
  const queries = main.differences.size;
  return [
    [
      `${main.before.toFixed(3)} → ${main.after.toFixed(3)}`,
      `${main.measure}, ${queries} ${queries === 1 ? 'query' : 'queries'}`,
    ],
    [coloured(main.change, 3), `95 % interval ${signed(main.interval.low, 3)} to ${signed(main.interval.high, 3)}`],
    [`${main.improved} / ${main.worsened}`, 'queries gained / lost'],
    [Math.round(pairs / seconds).toLocaleString('en'), `pairs a second, ${pairs.toLocaleString('en')} scored`],
  ];
}

function figures({ setting, datasets, overall }: Summary): string {
  const compared = (name: string, comparison: Comparison): (string | number)[] => {
    const { before, after, change, interval, pValue, differences } = comparison;
    return [
      escapeXml(name),
      differences.size,
      before.toFixed(4),
      after.toFixed(4),
      coloured(change, 4),
      `${signed(interval.low, 4)} to ${signed(interval.high, 4)}`,
      pValue.toFixed(4),
    ];
  };
  const body = setting.measures.map((measure, i) =>
    [
      `<tr><td colspan="7">${escapeXml(measure)}</td></tr>`,
      ...datasets.map(({ name, comparisons }) => row(compared(name, comparisons[i]!))),
      ...(datasets.length > 1 ? [row(compared('all', overall[i]!), 'all')] : []),
    ].join(''),
  );
  return table(['', 'queries', 'before', 'after', 'change', '95 % interval', 'p'], body);
}

function extremes({ differences, measure }: Comparison, textOf: (query: string) => string): string {
  const sorted = [...differences].sort(([, a], [, b]) => b - a);
  const gains = sorted.filter(([, value]) => value > 0).slice(0, examples);
  const losses = sorted
    .filter(([, value]) => value < 0)
    .slice(-examples)
    .reverse();
  const rows = [...gains, ...losses].map(([query, value]) => row([escapeXml(textOf(query)), coloured(value, 3)]));
  return rows.length > 0 ? table(['greatest gains and losses', measure], rows) : '';
}

/** A query's text by its id among all datasets. */
function queryTexts(datasets: readonly DatasetResult[]): (query: string) => string {
  const texts = new Map(
    datasets.flatMap(({ name, queries }) =>
      [...queries].map(([id, text]) => [datasets.length > 1 ? `${name}/${id}` : id, text]),
    ),
  );
  return (query) => texts.get(query) ?? query;
}

function coloured(value: number, digits: number): string {
  return `<span class="${value > 0 ? 'gain' : value < 0 ? 'loss' : ''}">${signed(value, digits)}</span>`;
}
