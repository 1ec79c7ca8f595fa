import type { BeirDataset } from '../evaluation/beir.js';
import type { Comparison } from '../evaluation/compare.js';
import { compareRuns, type CompareRunsOptions, compareRunsRules, type JudgedRuns } from '../evaluation/compare-runs.js';
import { checkOptions } from '../options.js';
import { benchmark, type Benchmark, type BenchmarkOptions, benchmarkRules } from './benchmark.js';
import type { RetrieveAndRerankOptions } from './pipeline.js';

export interface EvaluateRerankingOptions extends BenchmarkOptions, CompareRunsOptions {}

export interface RerankingEvaluation extends Benchmark, JudgedRuns {
  /** The dataset's, without the queries that failed: the comparisons are over those that were answered. */
  qrels: JudgedRuns['qrels'];
  /** The candidates in the retriever's order compared with those in the reranker's, on each measure. */
  comparisons: readonly Comparison[];
}

/**
 * What a reranker adds: runs a dataset as benchmark() does, and compares the order of the candidates before reranking
 * with the order after it, with intervals and p-values as compare() has them.
 *
 * @param pipeline an empty retriever, a reranker, and the number of candidates
 * @throws ZrankError INVALID_ARGUMENT for an option, before the work begins; what benchmark() and evaluate() throw
 */
export async function evaluateReranking(
  dataset: BeirDataset,
  pipeline: RetrieveAndRerankOptions,
  options: EvaluateRerankingOptions = {},
): Promise<RerankingEvaluation> {
  checkOptions('evaluateReranking()', options, { ...benchmarkRules, ...compareRunsRules });
  const { signal, onProgress, concurrency, instruction, ...compareOptions } = options;
  const { ignoreIdenticalIds } = compareOptions;
  const benchmarkOptions = { signal, onProgress, concurrency, instruction, ignoreIdenticalIds };
  const result = await benchmark(dataset, pipeline, benchmarkOptions);
  const answered = [...dataset.qrels].filter(([query]) => !result.failed.has(query));
  const qrels = result.failed.size === 0 ? dataset.qrels : new Map(answered);
  const runs = { qrels, ...result };
  return { ...runs, comparisons: compareRuns(runs, compareOptions) };
}
