import type { Comparison } from '../../evaluation/compare.js';
import { escapeXml } from '../../svg.js';
import type { DatasetResult, Summary } from '../eval-summary.js';
import { beforeAfterChart, queryChangeChart, rankMovementChart, scoreChart, signed } from './charts.js';
import { style } from './style.js';

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
      legend(['before', 'before'], ['after', 'after'], ['interval', '95 % interval of the change']) +
        beforeAfterChart(rows),
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
      legend(['relevant', 'relevant'], ['other', 'not relevant, or not judged']) + scoreChart(datasets),
    ),
    section(
      `Change of ${main.measure}, query by query`,
      `${main.improved} queries gained, ${main.unchanged} stayed, ${main.worsened} lost.`,
      queryChangeChart(main, textOf) + extremes(main, textOf),
    ),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeXml(`${names}: before and after reranking`)}</title>
<style>${style}</style>
<main>
<h1>Before and after reranking</h1>
<p>${escapeXml(names)}: the best ${setting.candidates} documents of <b>${escapeXml(setting.retriever)}</b>,
put in a new order by <b>${escapeXml(setting.reranker)}</b>.</p>
<div class="cards">${cards(main, datasets)
    .map(([value, text]) => `<div class="card"><strong>${value}</strong><span>${text}</span></div>`)
    .join('')}</div>
${sections.join('\n')}
<footer>Convention ${setting.convention}, split ${escapeXml(setting.split)}. Both orders hold the same retrieved
documents, so reranking cannot find what retrieval missed. Documents without a judgement count as irrelevant. Nothing
here corrects for looking at several measures.</footer>
</main>
</html>
`;
}

function cards(main: Comparison, datasets: readonly DatasetResult[]): [value: string, text: string][] {
  const pairs = datasets.reduce((sum, { pairs }) => sum + pairs, 0);
  const seconds = datasets.reduce((sum, { seconds }) => sum + seconds.rerank, 0);
  const queries = main.differences.size;
  return [
    [
      `${main.before.toFixed(3)} → ${main.after.toFixed(3)}`,
      `${escapeXml(main.measure)}, ${queries} ${queries === 1 ? 'query' : 'queries'}`,
    ],
    [
      coloured(main.change, 3),
      `95&nbsp;% interval ${signed(main.interval.low, 3)} to ${signed(main.interval.high, 3)}`,
    ],
    [`${main.improved} / ${main.worsened}`, 'queries gained / lost'],
    [Math.round(pairs / seconds).toLocaleString('en'), `pairs a second, ${pairs.toLocaleString('en')} scored`],
  ];
}

function figures({ setting, datasets, overall }: Summary): string {
  const row = (
    name: string,
    { before, after, change, interval, pValue, differences }: Comparison,
    className = '',
  ): string => {
    const cells = [
      escapeXml(name),
      differences.size,
      before.toFixed(4),
      after.toFixed(4),
      coloured(change, 4),
      `${signed(interval.low, 4)} to ${signed(interval.high, 4)}`,
      pValue.toFixed(4),
    ];
    return `<tr class="${className}">${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  };
  const body = setting.measures.map((measure, i) =>
    [
      `<tr><td class="measure" colspan="7">${escapeXml(measure)}</td></tr>`,
      ...datasets.map(({ name, comparisons }) => row(name, comparisons[i]!)),
      ...(datasets.length > 1 ? [row('all', overall[i]!, 'all')] : []),
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
  const rows = [...gains, ...losses].map(
    ([query, value]) => `<tr><td>${escapeXml(textOf(query))}</td><td>${coloured(value, 3)}</td></tr>`,
  );
  return rows.length > 0 ? table(['greatest gains and losses', escapeXml(measure)], rows) : '';
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

function section(title: string, text: string, content: string): string {
  return `<section><h2>${escapeXml(title)}</h2><p>${escapeXml(text)}</p>${content}</section>`;
}

function legend(...entries: readonly [className: string, text: string][]): string {
  const items = entries.map(([className, text]) => `<span><i class="${className}"></i>${text}</span>`);
  return `<div class="legend">${items.join('')}</div>`;
}

function table(head: readonly string[], rows: readonly string[]): string {
  const cells = head.map((text) => `<th>${text}</th>`);
  return `<div class="scroll"><table><tr>${cells.join('')}</tr>${rows.join('')}</table></div>`;
}

function coloured(value: number, digits: number): string {
  return `<span class="${value > 0 ? 'gain' : value < 0 ? 'loss' : ''}">${signed(value, digits)}</span>`;
}
