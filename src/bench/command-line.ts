import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { ZrankError } from '../error.js';
import { dialectNames } from './dialects.js';
import { peerNames } from './peer-process.js';
import { isUrl } from './run.js';
import { readScenario, type Lengths, type QueryLength } from './scenario.js';
import type { RunSettings } from './settings.js';
import { shapeNames } from './shape.js';

export const usage = `Usage: zrank-bench [SCENARIO...] [options]

Measures throughput and latency of a reranker on generated texts. Each run has a process of its own; lists of scenarios,
--query, --tokens and --concurrency make a run for every combination. SCENARIO: rerank (default), pairs, mixed, short.

Model
  --model FOLDER           (default: ZRANK_MODEL, else the embedded models/zrank-tiny)
  --shape NAME             a checkpoint with random weights, kept in a cache folder: ${shapeNames.join(', ')}
  --device NAME, --precision NAME, --attention NAME, --workers N, --threads N, --max-batch-tokens N    as in Reranker.load()
Workload
  --calls N                timed calls (default: the scenario's, 32)
  --warmups N              calls before them (default: the scenario's, 3)
  --documents N            documents of a call (default: the scenario's, 100)
  --tokens N|A-B[,...]     tokens of a document, or from A to B (default: the scenario's)
  --query short|long[,...] about 15 or 300 tokens (default: short)
  --concurrency N[,...]    calls in flight (default: 1)
  --seed N                 of texts and weights (default: 1)
Comparison, call by call in turn
  --against NAME|URL       may be repeated; a server, or one of ${peerNames.join(', ')}
  --dialect NAME           of the servers: ${dialectNames.join(', ')} (default: found out)
  --server-model NAME      the model's name on the servers (default: what they say)
  --python PATH            of the peers in Python (default: ZRANK_PYTHON, else python3)
  ZRANK_API_KEY            (environment) sent to the servers as a bearer token
  --invariance             also score the same pairs alone and in mixed batches
Output
  --json                   one JSON object a run, a line each
  --report FILE            an HTML page with plots
  -h, --help
`;

export interface Invocation {
  help: boolean;
  json: boolean;
  /** Path of the HTML page. */
  report: string | undefined;
  shape: string | undefined;
  seed: number;
  /** Settings of the runs, for a model folder. */
  runs: (model: string) => Promise<RunSettings[]>;
  model: string | undefined;
}

/** What the command line says. Throws INVALID_ARGUMENT for wrong usage; `python` is the default of --python. */
export function readCommandLine(args: string[], python: string): Invocation {
  const { values, positionals } = parse(args);
  const scenarios = positionals.length > 0 ? positionals : ['rerank'];
  const queries = (values.query ?? 'short')
    .split(',')
    .map((length) => oneOf<QueryLength>('--query', ['short', 'long'], length));
  const tokens = values.tokens?.split(',').map(parseLengths) ?? [undefined];
  const concurrencies = (values.concurrency ?? '1').split(',').map((value) => positive('--concurrency', value));
  for (const name of values.against ?? []) if (!isUrl(name)) oneOf('--against', [...peerNames, 'an http(s) URL'], name);
  for (const name of values.against ?? [])
    if (isUrl(name) && !URL.canParse(name)) throw ZrankError.argument('--against', 'a URL', name);
  if (values.model !== undefined && values.shape !== undefined)
    throw new ZrankError('INVALID_ARGUMENT', 'expected one of --model and --shape but received both');
  const seed = values.seed === undefined ? 1 : whole('--seed', values.seed);
  const given = {
    calls: values.calls === undefined ? undefined : positive('--calls', values.calls),
    warmups: values.warmups === undefined ? undefined : whole('--warmups', values.warmups),
    documents: values.documents === undefined ? undefined : positive('--documents', values.documents),
  };
  const common = {
    shape: values.shape === undefined ? null : oneOf('--shape', shapeNames, values.shape),
    seed,
    device: values.device ?? 'auto',
    precision: values.precision ?? 'auto',
    attention: values.attention ?? 'auto',
    workers: values.workers === undefined ? null : positive('--workers', values.workers),
    maxBatchTokens:
      values['max-batch-tokens'] === undefined ? null : positive('--max-batch-tokens', values['max-batch-tokens']),
    threads: values.threads === undefined ? availableParallelism() : positive('--threads', values.threads),
    against: values.against ?? [],
    dialect: values.dialect === undefined ? null : oneOf('--dialect', dialectNames, values.dialect),
    serverModel: values['server-model'] ?? null,
    python: values.python ?? python,
    invariance: values.invariance ?? false,
  };
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    report: values.report,
    shape: values.shape,
    seed,
    model: values.model,
    runs: async (model) => {
      const runs: RunSettings[] = [];
      for (const name of scenarios) {
        const scenario = await readScenario(name);
        for (const query of queries) {
          for (const documentTokens of tokens) {
            for (const concurrency of concurrencies) {
              runs.push({
                scenario: name,
                model,
                ...common,
                query,
                queryTokens: scenario.queryTokens[query],
                documents: given.documents ?? scenario.documents,
                documentTokens: documentTokens ?? scenario.documentTokens,
                sharedQuery: scenario.sharedQuery,
                calls: given.calls ?? scenario.calls,
                warmups: given.warmups ?? scenario.warmups,
                concurrency,
              });
            }
          }
        }
      }
      return runs;
    },
  };
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        model: text,
        shape: text,
        device: text,
        precision: text,
        attention: text,
        workers: text,
        threads: text,
        'max-batch-tokens': text,
        calls: text,
        warmups: text,
        documents: text,
        tokens: text,
        query: text,
        concurrency: text,
        seed: text,
        against: { type: 'string', multiple: true },
        dialect: text,
        'server-model': text,
        python: text,
        invariance: flag,
        json: flag,
        report: text,
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new ZrankError('INVALID_ARGUMENT', (cause as Error).message, { cause });
  }
}

function oneOf<T extends string>(option: string, values: readonly T[], value: string): T {
  if ((values as readonly string[]).includes(value)) return value as T;
  throw ZrankError.argument(option, `one of ${values.join(', ')}`, value);
}

function whole(option: string, value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) throw ZrankError.argument(option, 'a whole number', value);
  return number;
}

function positive(option: string, value: string): number {
  const number = whole(option, value);
  if (number === 0) throw ZrankError.argument(option, 'a positive whole number', value);
  return number;
}

function parseLengths(value: string): Lengths {
  const [least, most = least, ...more] = value.split('-').map((end) => positive('--tokens', end));
  if (more.length > 0 || least! > most!) throw ZrankError.argument('--tokens', 'N or A-B', value);
  return { uniform: [least!, most!] };
}
