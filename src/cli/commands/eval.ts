import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BeirDataset, openBeir } from '../../evaluation/beir.js';
import { comparedMeasures } from '../../evaluation/compare-runs.js';
import { conventions } from '../../evaluation/conventions.js';
import { findDatasets } from '../../evaluation/datasets.js';
import { writeRun } from '../../evaluation/run.js';
import { checkTrecWord } from '../../evaluation/score-table.js';
import { fileError } from '../../files/file-error.js';
import { packageFolder } from '../../package.js';
import type { BenchmarkOptions } from '../../retrieval/benchmark.js';
import { evaluateReranking } from '../../retrieval/evaluate-reranking.js';
import { defineCommand, positiveInteger } from '../command.js';
import { type DatasetResult, type Setting, summarize, summaryJson, summaryTable } from '../eval-summary.js';
import { measuresOption } from '../measures-option.js';
import { instructionOption, loadReranker, modelOption, rerankerOptions } from '../model-options.js';
import { locateReranker } from '../models.js';
import { log, print, remark, writeReport } from '../output.js';
import { ProgressBar } from '../progress.js';
import { reportPage } from '../eval-report.js';
import { openRetriever, retrieverOption } from '../retriever.js';

/** Where stderr is no terminal, how far the reranking is is said this often. */
const reportIntervalMs = 15_000;

export const command = defineCommand({
  positionals: {
    dataset: {
      description: 'a BEIR folder, or a folder of them (default: the embedded finance, legal, code and everyday)',
      optional: true,
    },
  },
  options: {
    retriever: retrieverOption,
    candidates: {
      value: 'n',
      description: 'documents retrieved and reranked for a query',
      parse: positiveInteger,
      default: 50,
    },
    measures: { ...measuresOption, description: 'as for zrank measure', default: comparedMeasures },
    convention: { value: 'name', description: 'whose rules to follow', choices: conventions, default: 'trec' },
    split: { value: 'name', description: 'the file of qrels/', default: 'test' },
    ignoreIdenticalIds: { description: "leave out documents whose id is the query's, as BEIR does" },
    keepUnknown: { description: 'let the qrels name documents that the corpus lacks' },
    json: { description: 'print the figures as JSON' },
    report: { value: 'file', description: 'write a page of plots (HTML, complete in itself)' },
    runOut: { value: 'folder', description: 'write <name>.before.trec and <name>.after.trec' },
    reranker: modelOption,
    instruction: instructionOption,
    ...rerankerOptions,
  },
  async run({ dataset: folder = join(packageFolder, 'data/domains'), reranker: model, ...values }) {
    const { retriever, candidates, measures, convention, split, keepUnknown, json, report, runOut } = values;
    const { instruction, ignoreIdenticalIds = false } = values;
    const found = await findDatasets(folder);
    // Opened first, so that a dataset that is wrong is known before the work begins.
    const opened = await Promise.all(
      found.map(async ({ name, folder }) => ({
        name,
        dataset: await openBeir(folder, { split, unknownIds: keepUnknown ? 'keep' : 'error' }),
      })),
    );
    if (runOut !== undefined) await makeFolder(runOut);
    const located = await locateReranker(model, { flag: '--reranker', pull: values.pull });
    const source = await openRetriever(retriever, values.pull);
    const setting: Setting = {
      retriever: source.name,
      reranker: located.name,
      candidates,
      split,
      convention,
      ignoreIdenticalIds,
      measures,
    };
    try {
      await using reranker = await loadReranker(located.folder, values);
      const results: DatasetResult[] = [];
      for (const { name, dataset } of opened) {
        const progress = new Progress(name);
        const result = await evaluateReranking(
          runOut === undefined ? dataset : withTrecIds(dataset),
          { retriever: source.create(), reranker, candidates },
          { measures, convention, onProgress: progress.update, instruction, ignoreIdenticalIds },
        );
        progress.done();
        logFailures(name, result.failed);
        results.push({ ...result, name, queries: dataset.queries });
      }
      const summary = summarize(setting, results);
      try {
        // Before anything is printed: a reader who has seen enough ends the process.
        if (runOut !== undefined) await writeRuns(runOut, results);
        if (report !== undefined) await writeReport(report, reportPage(summary));
      } finally {
        print(json ? summaryJson(summary) : summaryTable(summary));
        remark(scope(setting, results));
      }
    } finally {
      await source.close();
    }
  },
});

/** What was done, and what the figures mean. */
function scope(setting: Setting, results: readonly DatasetResult[]): string {
  const { retriever, reranker, candidates, convention, ignoreIdenticalIds } = setting;
  const pairs = results.reduce((sum, result) => sum + result.pairs, 0);
  const seconds = results.reduce((sum, result) => sum + result.seconds.rerank, 0);
  return (
    `before: ${retriever}, the best ${candidates}; after: the same documents by ${reranker}; ` +
    `convention ${convention}${ignoreIdenticalIds ? "; documents whose id is the query's are left out" : ''}\n` +
    `${pairs} pairs scored in ${seconds.toFixed(1)} s (${(pairs / seconds).toFixed(1)} pairs/s); ` +
    'documents without a judgement count as irrelevant\n'
  );
}

/** Names the first queries that failed; --json names all. */
function logFailures(dataset: string, failed: DatasetResult['failed']): void {
  const named = 5;
  for (const [query, { message, code }] of [...failed].slice(0, named))
    log(`${dataset}: query ${query} failed and counts in neither order: ${message} [${code}]`);
  if (failed.size > named) log(`${dataset}: ${failed.size - named} more queries failed`);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
}

/** A dataset that fails as soon as one of its ids turns out to be none that --run-out can write. */
function withTrecIds(dataset: BeirDataset): BeirDataset {
  return {
    ...dataset,
    async *documents() {
      for (const query of dataset.queries.keys()) checkTrecWord('query id', query);
      for await (const document of dataset.documents()) {
        checkTrecWord('document id', document.id);
        yield document;
      }
    },
  };
}

async function writeRuns(folder: string, results: readonly DatasetResult[]): Promise<void> {
  for (const result of results) {
    for (const stage of ['before', 'after'] as const) {
      await writeRun(join(folder, `${result.name}.${stage}.trec`), result[stage], { tag: `zrank-${stage}` });
    }
  }
}

/** Bars on a terminal; elsewhere a line now and then. */
class Progress {
  readonly #name: string;
  #bar: ProgressBar | undefined;
  #stage: string | undefined;
  #said = performance.now();

  constructor(name: string) {
    this.#name = name;
  }

  readonly update: NonNullable<BenchmarkOptions['onProgress']> = ({ stage, completed, total }) => {
    if (stage !== this.#stage) {
      this.#bar?.done();
      this.#bar = new ProgressBar(`${this.#name}: ${stage}`);
      this.#stage = stage;
    }
    this.#bar!.update({ completed, total });
    if (process.stderr.isTTY || performance.now() - this.#said < reportIntervalMs) return;
    this.#said = performance.now();
    remark(`${this.#name}: ${stage} ${completed}${total === undefined ? '' : `/${total}`}\n`);
  };

  done(): void {
    this.#bar?.done();
  }
}
