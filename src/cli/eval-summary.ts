import type { BeirDataset } from '../evaluation/beir.js';
import type { Comparison } from '../evaluation/compare.js';
import { compareRuns, poolRuns } from '../evaluation/compare-runs.js';
import type { Convention } from '../evaluation/conventions.js';
import type { RerankingEvaluation } from '../retrieval/evaluate-reranking.js';

/** What an evaluation was made with. */
export interface Setting {
  retriever: string;
  reranker: string;
  candidates: number;
  split: string;
  convention: Convention;
  /** Whether documents whose id is the query's were left out. */
  ignoreIdenticalIds: boolean;
  measures: readonly string[];
}

export interface DatasetResult extends RerankingEvaluation {
  name: string;
  /** The texts of the queries, by id. */
  queries: BeirDataset['queries'];
}

export interface Summary {
  setting: Setting;
  datasets: readonly DatasetResult[];
  /** Over the queries of all datasets. */
  overall: readonly Comparison[];
}

export function summarize(setting: Setting, datasets: readonly DatasetResult[]): Summary {
  const overall =
    datasets.length === 1
      ? datasets[0]!.comparisons
      : compareRuns(poolRuns(datasets.map((result) => [result.name, result])), {
          measures: setting.measures,
          convention: setting.convention,
        });
  return { setting, datasets, overall };
}

/** The figures, as `zrank eval --json` prints them. */
export function summaryJson({ setting, datasets, overall }: Summary): object {
  const { measures: _, ...settings } = setting;
  const figures = (comparisons: readonly Comparison[]): object =>
    Object.fromEntries(comparisons.map(({ measure, differences: _, ...values }) => [measure, values]));
  return {
    ...settings,
    datasets: datasets.map(({ name, queries, failed, documents, pairs, seconds, comparisons }) => ({
      name,
      documents,
      queries: queries.size,
      failed: [...failed].map(([query, { code, message }]) => ({ query, code, message })),
      pairs,
      seconds,
      measures: figures(comparisons),
    })),
    overall: { queries: overall[0]!.differences.size, measures: figures(overall) },
  };
}

/** A table for each measure: a row a dataset, and one over all of them. */
export function summaryTable({ setting, datasets, overall }: Summary): string {
  const width =
    Math.max(12, ...setting.measures.map((name) => name.length), ...datasets.map(({ name }) => name.length)) + 2;
  const tables = setting.measures.map((measure, i) => {
    const rows = datasets.map(({ name, comparisons }) => tableRow(name.padEnd(width), comparisons[i]!));
    if (datasets.length > 1) rows.push(tableRow('all'.padEnd(width), overall[i]!));
    return `${measure.padEnd(width)}queries  before   after   change     95 % interval       p\n${rows.join('')}`;
  });
  return tables.join('\n');
}

function tableRow(name: string, { before, after, change, interval, pValue, differences }: Comparison): string {
  const columns = [
    String(differences.size).padStart(7),
    before.toFixed(4),
    after.toFixed(4),
    signed(change),
    `${signed(interval.low)} to ${signed(interval.high)}`,
    pValue.toFixed(4),
  ];
  return `${name}${columns.join('  ')}\n`;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
}
