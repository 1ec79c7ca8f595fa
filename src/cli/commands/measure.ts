import { parseArgs } from 'node:util';
import { ZrankError } from '../error.js';
import { type Convention, conventions } from '../evaluation/conventions.js';
import { evaluate, type Evaluation } from '../evaluation/evaluate.js';
import { defaultMeasures } from '../evaluation/measures.js';
import { readQrels } from '../evaluation/qrels.js';
import { readRun } from '../evaluation/run.js';

export const measureUsage = `Usage: zrank measure QRELS RUN [options]

Measures a run against relevance judgements, as trec_eval does.
QRELS is a TREC or a BEIR (.tsv) file, RUN a TREC file; either may be JSON.

  -m, --measures LIST      parted by commas; see below
  -q, --per-query          the values of each query too
      --convention NAME    ${conventions.join(', ')} (default: trec)
  -c, --complete           judged queries that the run lacks count as 0 (the default for trec)
      --no-complete        they are left out (the default for the other conventions)
      --json               {measures: {...}, queries: {id: {...}}} in full precision
  -h, --help

Measures: ndcg@k, ndcg, ndcg_exp@k, ndcg_exp, mrr@k, mrr, map@k, map, recall@k, precision@k, success@k, and
trec_eval's own names, such as ndcg_cut_10, P_5 and recip_rank. Without --measures:
${defaultMeasures.join(', ')}
`;

/**
 * `zrank measure`: prints a run's measures on stdout in trec_eval's three columns, or as JSON, and on stderr the
 * convention and the queries that the means are over.
 *
 * @param args what follows `measure` on the command line
 * @returns the exit code, 0
 * @throws ZrankError INVALID_ARGUMENT for wrong usage; what readQrels, readRun and evaluate throw
 */
export async function measure(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(measureUsage);
    return 0;
  }
  const [qrelsPath, runPath, ...more] = positionals;
  if (qrelsPath === undefined || runPath === undefined || more.length > 0) {
    throw new ZrankError('INVALID_ARGUMENT', `expected QRELS and RUN but received ${positionals.length} files`, {
      expected: 'QRELS RUN',
      received: positionals.join(' '),
    });
  }
  if (values.complete && values['no-complete']) {
    throw new ZrankError('INVALID_ARGUMENT', 'expected one of --complete and --no-complete but received both');
  }
  const options = {
    measures: values.measures?.flatMap((list) => list.split(',').map((name) => name.trim())),
    // evaluate() refuses a name that is none.
    convention: values.convention as Convention | undefined,
    complete: values.complete ? true : values['no-complete'] ? false : undefined,
  };
  const [qrels, run] = await Promise.all([readQrels(qrelsPath), readRun(runPath)]);
  const evaluation = evaluate(qrels, run, options);
  process.stderr.write(`${scope(evaluation)}\n`);
  process.stdout.write(values.json ? json(evaluation) : table(evaluation, values['per-query'] ?? false));
  return 0;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        measures: { type: 'string', short: 'm', multiple: true },
        'per-query': { type: 'boolean', short: 'q' },
        convention: { type: 'string' },
        complete: { type: 'boolean', short: 'c' },
        'no-complete': { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new ZrankError('INVALID_ARGUMENT', (cause as Error).message, { cause });
  }
}

/** The three columns of trec_eval: measure, query or "all", value. */
function table({ measures, queries }: Evaluation, perQuery: boolean): string {
  const row = (name: string, query: string, value: string): string => `${name.padEnd(22)}\t${query}\t${value}\n`;
  const rows = (query: string, values: Readonly<Record<string, number>>): string =>
    Object.entries(values).reduce((text, [name, value]) => text + row(name, query, value.toFixed(4)), '');
  const single = perQuery ? [...queries].map(([query, values]) => rows(query, values)) : [];
  return [...single, row('num_q', 'all', String(queries.size)), rows('all', measures)].join('');
}

function json({ measures, queries }: Evaluation): string {
  return `${JSON.stringify({ measures, queries: Object.fromEntries(queries) }, null, 2)}\n`;
}

function scope({ convention, complete, queries, missing, unjudged }: Evaluation): string {
  const parts = [`convention ${convention}, mean over ${queries.size} judged queries`];
  if (missing.length > 0)
    parts.push(`${missing.length} that the run lacks ${complete ? 'count as 0' : 'are left out'}`);
  if (unjudged.length > 0) parts.push(`${unjudged.length} of the run are not judged and left out`);
  return parts.join('; ');
}
