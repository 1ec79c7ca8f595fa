import { availableParallelism } from 'node:os';
import { InvalidArgumentError } from 'commander';
import { peerNames } from '../../bench/peer-process.js';
import { planRuns } from '../../bench/plan.js';
import { renderReport } from '../../bench/report.js';
import type { RunReport } from '../../bench/result.js';
import { runInProcess } from '../../bench/run-process.js';
import { type Lengths, scenarioNames } from '../../bench/scenario.js';
import { isUrl } from '../../bench/settings.js';
import { shapeFolder, shapeNames } from '../../bench/shape.js';
import { describeRun, summarize } from '../../bench/summary.js';
import { defaultCacheFolder } from '../../checkpoint/cache-folder.js';
import { embeddedModels } from '../../package.js';
import { dialectNames } from '../../server/dialects.js';
import { defineCommand, positiveInteger, wholeNumber } from '../command.js';
import { modelOption, modelOptionFor, placementOptions, pullOption } from '../model-options.js';
import { locateReranker } from '../models.js';
import { log, print, writeReport } from '../output.js';

const workload = { value: 'n', group: 'Workload' } as const;
const comparison = { group: 'Comparison, call by call in turn' } as const;

export const command = defineCommand({
  description: 'Each run has a process of its own; lists make a run for every combination.',
  positionals: {
    scenario: { description: 'the workload; rerank where none is named', choices: scenarioNames, variadic: true },
  },
  options: {
    json: { description: 'print one JSON object a run, a line each' },
    report: { value: 'file', description: 'write a page of plots (HTML, complete in itself)' },
    model: { ...modelOptionFor('zrank-tiny'), conflictsWith: 'shape' },
    shape: {
      value: 'name',
      description: 'instead of a model, random weights of this shape, kept in a cache folder',
      choices: shapeNames,
      group: modelOption.group,
    },
    ...placementOptions,
    pull: pullOption,
    attention: {
      value: 'name',
      description: 'how a GPU computes attention',
      choices: ['auto', 'fused', 'paged', 'tiled', 'plain'],
      group: modelOption.group,
    },
    gatedUnits: {
      value: 'name',
      description: 'how a GPU computes silu(gate) * up',
      choices: ['auto', 'fused', 'plain'],
      group: modelOption.group,
    },
    products: {
      value: 'name',
      description: 'what multiplies matrices on a GPU',
      choices: ['auto', 'tuned', 'plain'],
      group: modelOption.group,
    },
    maxBatchTokens: {
      value: 'n',
      description: 'tokens a batch computes',
      parse: positiveInteger,
      group: modelOption.group,
    },
    calls: {
      ...workload,
      description: "timed calls, however long they take (default: the scenario's 32, or as many as --seconds allows)",
      parse: positiveInteger,
    },
    seconds: {
      ...workload,
      description: 'about how long the calls of a run may take; three are made in any case',
      parse: positiveInteger,
      default: 90,
    },
    warmups: { ...workload, description: "calls before them (default: the scenario's, 3)", parse: wholeNumber },
    documents: { ...workload, description: "documents of a call (default: the scenario's)", parse: positiveInteger },
    tokens: {
      ...workload,
      value: 'n|a-b,...',
      description: "tokens of a document, or from a to b (default: the scenario's)",
      parse: parseLengths,
      list: true,
    },
    query: {
      ...workload,
      value: 'length,...',
      description: 'about 15 or 300 tokens',
      choices: ['short', 'long'],
      list: true,
      default: ['short'],
    },
    concurrency: {
      ...workload,
      value: 'n,...',
      description: 'calls in flight',
      parse: positiveInteger,
      list: true,
      default: [1],
    },
    seed: { ...workload, description: 'of texts and weights', parse: wholeNumber, default: 1 },
    against: {
      ...comparison,
      value: 'name|url,...',
      description: `a server, or one of ${peerNames.join(', ')}`,
      parse: parseOpponent,
      list: true,
    },
    dialect: {
      ...comparison,
      value: 'name',
      description: 'wire format of the servers (default: found out)',
      choices: dialectNames,
    },
    serverModel: {
      ...comparison,
      value: 'name',
      description: "the model's name on the servers (default: what they say)",
    },
    python: {
      ...comparison,
      value: 'path',
      description: 'interpreter of the peers in Python (default: ZRANK_PYTHON, else python3)',
    },
    invariance: { ...comparison, description: 'also score the same pairs alone and in mixed batches' },
  },
  notes: 'ZRANK_API_KEY (environment) is sent to the servers as a bearer token.',
  async run({ scenario, model, shape, seed, against, json, report, pull, ...values }) {
    const folder =
      shape === undefined
        ? (await locateReranker(model, { pull, embedded: embeddedModels.decoder })).folder
        : await shapeFolder(shape, seed, defaultCacheFolder(), log);
    const runs = await planRuns(scenario.length > 0 ? scenario : ['rerank'], values, values, {
      model: folder,
      shape: shape ?? null,
      seed,
      against: against ?? [],
      device: values.device ?? 'auto',
      precision: values.precision ?? 'auto',
      attention: values.attention ?? 'auto',
      gatedUnits: values.gatedUnits ?? 'auto',
      products: values.products ?? 'auto',
      workers: values.workers ?? null,
      threads: values.threads ?? availableParallelism(),
      maxBatchTokens: values.maxBatchTokens ?? null,
      seconds: values.calls === undefined ? values.seconds : null,
      dialect: values.dialect ?? null,
      serverModel: values.serverModel ?? null,
      python: values.python || process.env['ZRANK_PYTHON'] || 'python3',
      invariance: values.invariance ?? false,
    });
    const secrets = { apiKey: process.env['ZRANK_API_KEY'] || undefined };
    const reports: RunReport[] = [];
    for (const settings of runs) {
      const { seconds } = settings;
      log(`${describeRun(settings)}${seconds === null ? '' : `; takes up to about ${seconds} s (--seconds, --calls)`}`);
      const finished = await runInProcess({ settings, secrets }, log);
      reports.push(finished);
      print(`${json ? JSON.stringify(finished.result) : summarize(finished)}\n`);
    }
    if (report !== undefined) {
      await writeReport(report, renderReport(reports));
      log(`the report is in ${report}`);
    }
  },
});

function parseLengths(text: string): Lengths {
  const [least, most = least, ...more] = text.split('-').map(positiveInteger);
  if (more.length > 0 || least! > most!) throw new InvalidArgumentError('Expected n or a-b.');
  return { uniform: [least!, most!] };
}

function parseOpponent(text: string): string {
  if (isUrl(text) ? URL.canParse(text) : peerNames.includes(text)) return text;
  throw new InvalidArgumentError(`Expected one of ${peerNames.join(', ')} or an http(s) URL.`);
}
