import type { BeirDataset } from '../evaluation/beir.js';
import type { Comparison } from '../evaluation/compare.js';
import { compareRuns, type CompareRunsOptions, compareRunsRules, type JudgedRuns } from '../evaluation/compare-runs.js';
import { checkOptions } from '../options.js';
import { benchmark, type Benchmark, type BenchmarkOptions, benchmarkRules } from './benchmark.js';
import type { RetrieveAndRerankOptions } from './pipeline.js';

export interface EvaluateRerankingOptions extends BenchmarkOptions, CompareRunsOptions {}

export interface RerankingEvaluation extends Benchmark, JudgedRuns {
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
  const runs = { qrels: dataset.qrels, ...(await benchmark(dataset, pipeline, benchmarkOptions)) };
  return { ...runs, comparisons: compareRuns(runs, compareOptions) };
}
