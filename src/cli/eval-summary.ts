import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ZrankError } from '../error.js';
import type { BeirDataset } from '../evaluation/beir.js';
import { compare, type Comparison } from '../evaluation/compare.js';
import type { Convention } from '../evaluation/conventions.js';
import { evaluate } from '../evaluation/evaluate.js';
import type { ScoreTable } from '../evaluation/score-table.js';
import type { Benchmark } from '../retrieval/benchmark.js';

/** What an evaluation was made with. */
export interface Setting {
  retriever: string;
  reranker: string;
  candidates: number;
  split: string;
  convention: Convention;
  measures: readonly string[];
}

export interface DatasetResult {
  name: string;
  dataset: BeirDataset;
  benchmark: Benchmark;
  /** Of each measure, in their order. */
  comparisons: readonly Comparison[];
}

export interface Summary {
  setting: Setting;
  datasets: readonly DatasetResult[];
  /** Over the queries of all datasets. */
  overall: readonly Comparison[];
}

/**
 * The BEIR folders that DATASET names: itself, or else those in it, by name.
 *
 * @throws ZrankError FILE_NOT_FOUND
 */
export async function findDatasets(folder: string): Promise<{ name: string; folder: string }[]> {
  if (await isBeirFolder(folder)) return [{ name: basename(resolve(folder)), folder }];
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new ZrankError('FILE_NOT_FOUND', `there is no folder ${folder}`, { cause });
  });
  const found: { name: string; folder: string }[] = [];
  for (const name of names.sort()) {
    if (await isBeirFolder(join(folder, name))) found.push({ name, folder: join(folder, name) });
  }
  if (found.length === 0)
    throw new ZrankError('FILE_NOT_FOUND', `${folder} is no BEIR folder and holds none: there is no corpus.jsonl`);
  return found;
}

/** Compares the runs before and after reranking, on each measure. */
export function compareRuns(
  qrels: ScoreTable,
  before: ScoreTable,
  after: ScoreTable,
  { measures, convention }: Setting,
): Comparison[] {
  const evaluations = [before, after].map((run) => evaluate(qrels, run, { measures, convention, complete: true }));
  return measures.map((measure) => compare(evaluations[0]!, evaluations[1]!, measure));
}

export function summarize(setting: Setting, datasets: readonly DatasetResult[]): Summary {
  const [first] = datasets;
  if (datasets.length === 1) return { setting, datasets, overall: first!.comparisons };
  const pool = (table: (result: DatasetResult) => ScoreTable): ScoreTable =>
    new Map(
      datasets.flatMap((result) =>
        [...table(result)].map(([query, documents]) => [`${result.name}/${query}`, documents]),
      ),
    );
  const overall = compareRuns(
    pool(({ dataset }) => dataset.qrels),
    pool(({ benchmark }) => benchmark.before),
    pool(({ benchmark }) => benchmark.after),
    setting,
  );
  return { setting, datasets, overall };
}

/** The figures, as `zrank eval --json` prints them. */
export function summaryJson({ setting, datasets, overall }: Summary): object {
  const { measures: _, ...settings } = setting;
  const figures = (comparisons: readonly Comparison[]): object =>
    Object.fromEntries(comparisons.map(({ measure, differences: _, ...values }) => [measure, values]));
  return {
    ...settings,
    datasets: datasets.map(({ name, dataset, benchmark: { documents, pairs, seconds }, comparisons }) => ({
      name,
      documents,
      queries: dataset.queries.size,
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

async function isBeirFolder(folder: string): Promise<boolean> {
  return (await stat(join(folder, 'corpus.jsonl')).catch(() => undefined))?.isFile() ?? false;
}
