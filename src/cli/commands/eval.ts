import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ZrankError } from '../error.js';
import { openBeir } from '../evaluation/beir.js';
import { checkConvention, conventions } from '../evaluation/conventions.js';
import { fileError } from '../evaluation/lines.js';
import { parseMeasure } from '../evaluation/measures.js';
import { writeRun } from '../evaluation/run.js';
import { Reranker } from '../reranker.js';
import { benchmark, type BenchmarkOptions } from '../retrieval/benchmark.js';
import { count, defined, loadFlags, loadHelp, loadOptions } from './arguments.js';
import {
  compareRuns,
  type DatasetResult,
  findDatasets,
  type Setting,
  summarize,
  summaryJson,
  summaryTable,
} from './eval-summary.js';
import { modelFolder } from './model-folder.js';
import { ProgressBar } from './progress.js';
import { reportPage } from './report/page.js';
import { openRetriever, retrieverHelp } from './retriever-option.js';

const help = `Usage: zrank eval [DATASET] [OPTIONS]

Retrieves and reranks the queries of a BEIR folder, or of each BEIR folder in DATASET, and compares the order before
and after reranking. Without DATASET: the embedded finance, legal, code and everyday.

  --retriever NAME      ${retrieverHelp}
  --reranker FOLDER     a model folder [ZRANK_MODEL, else the embedded zrank-tiny]
  --candidates N        documents retrieved and reranked for a query [50]
  --measures LIST       parted by commas, as for zrank measure [ndcg@10,mrr@10,recall@10]
  --convention NAME     ${conventions.join(', ')} [trec]
  --split NAME          the file of qrels/ [test]
  --json                print the figures as JSON
  --report FILE         write a page of plots (HTML, complete in itself)
  --run-out FOLDER      write NAME.before.trec and NAME.after.trec
  --keep-unknown        let the qrels name documents that the corpus lacks
  --instruction TEXT    what makes a document relevant
${loadHelp}`;

const embedded = fileURLToPath(new URL('../../data/domains', import.meta.url));

/** Where stderr is no terminal, how far the reranking is is said this often. */
const reportIntervalMs = 15_000;

/** zrank eval */
export async function evaluateDatasets(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      retriever: { type: 'string' },
      reranker: { type: 'string' },
      candidates: { type: 'string', default: '50' },
      measures: { type: 'string', default: 'ndcg@10,mrr@10,recall@10' },
      convention: { type: 'string', default: 'trec' },
      split: { type: 'string', default: 'test' },
      json: { type: 'boolean', default: false },
      report: { type: 'string' },
      'run-out': { type: 'string' },
      'keep-unknown': { type: 'boolean', default: false },
      instruction: { type: 'string' },
      ...loadFlags,
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [folder = embedded, ...rest] = positionals;
  if (rest.length > 0) throw new ZrankError('INVALID_ARGUMENT', 'zrank eval takes one DATASET');
  const measures = values.measures.split(',').map((name) => parseMeasure(name.trim()).name);
  const convention = checkConvention(values.convention);
  const candidates = count('--candidates', values.candidates)!;
  const found = await findDatasets(folder);
  // Opened first, so that a dataset that is wrong is known before the work begins.
  const opened = await Promise.all(
    found.map(async ({ name, folder }) => ({
      name,
      dataset: await openBeir(folder, { split: values.split, unknownIds: values['keep-unknown'] ? 'keep' : 'error' }),
    })),
  );
  const model = modelFolder(values.reranker, '--reranker');
  const source = await openRetriever(values.retriever);
  const setting: Setting = {
    retriever: source.name,
    reranker: basename(model),
    candidates,
    split: values.split,
    convention,
    measures,
  };
  try {
    await using reranker = await Reranker.load(model, loadOptions(values));
    const results: DatasetResult[] = [];
    for (const { name, dataset } of opened) {
      const progress = new Progress(name);
      const result = await benchmark(
        dataset,
        { retriever: source.create(), reranker, candidates },
        { onProgress: progress.update, ...defined({ instruction: values.instruction }) },
      );
      progress.done();
      results.push({
        name,
        dataset,
        benchmark: result,
        comparisons: compareRuns(dataset.qrels, result.before, result.after, setting),
      });
    }
    const summary = summarize(setting, results);
    process.stdout.write(values.json ? `${JSON.stringify(summaryJson(summary), null, 2)}\n` : summaryTable(summary));
    process.stderr.write(scope(setting, results));
    if (values['run-out'] !== undefined) await writeRuns(values['run-out'], results);
    if (values.report !== undefined) await writePage(values.report, reportPage(summary));
  } finally {
    await source.close();
  }
  return 0;
}

/** What was done, and what the figures mean. */
function scope({ retriever, reranker, candidates, convention }: Setting, results: readonly DatasetResult[]): string {
  const pairs = results.reduce((sum, { benchmark }) => sum + benchmark.pairs, 0);
  const seconds = results.reduce((sum, { benchmark }) => sum + benchmark.seconds.rerank, 0);
  return (
    `before: ${retriever}, the best ${candidates}; after: the same documents by ${reranker}; convention ${convention}\n` +
    `${pairs} pairs scored in ${seconds.toFixed(1)} s (${(pairs / seconds).toFixed(1)} pairs/s); documents without a judgement count as irrelevant\n`
  );
}

async function writeRuns(folder: string, results: readonly DatasetResult[]): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw fileError(folder, 'write', cause);
  });
  for (const { name, benchmark } of results) {
    for (const stage of ['before', 'after'] as const) {
      await writeRun(join(folder, `${name}.${stage}.trec`), benchmark[stage], { tag: `zrank-${stage}` });
    }
  }
}

async function writePage(path: string, page: string): Promise<void> {
  await writeFile(path, page).catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
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
    process.stderr.write(`${this.#name}: ${stage} ${completed}${total === undefined ? '' : `/${total}`}\n`);
  };

  done(): void {
    this.#bar?.done();
  }
}
