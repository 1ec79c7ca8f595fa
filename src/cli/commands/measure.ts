import { conventions } from '../../evaluation/conventions.js';
import { evaluate, type Evaluation } from '../../evaluation/evaluate.js';
import { defaultMeasures, parseMeasure } from '../../evaluation/measures.js';
import { readQrels } from '../../evaluation/qrels.js';
import { readRun } from '../../evaluation/run.js';
import { defineCommand } from '../command.js';
import { print } from '../output.js';

/** On stdout trec_eval's three columns, or JSON; on stderr the convention and the queries that the means are over. */
export const command = defineCommand({
  positionals: {
    qrels: { description: 'a TREC or a BEIR (.tsv) file, or JSON' },
    run: { description: 'a TREC file, or JSON' },
  },
  options: {
    measures: {
      value: 'list',
      short: 'm',
      description: 'what to measure',
      list: true,
      parse: (name) => parseMeasure(name).name,
      default: defaultMeasures,
    },
    perQuery: { short: 'q', description: 'the values of each query too' },
    convention: { value: 'name', description: 'whose rules to follow', choices: conventions, default: 'trec' },
    complete: {
      short: 'c',
      description: 'count judged queries that the run lacks as 0 (the default for trec)',
      negation: 'leave them out (the default for the other conventions)',
    },
    json: { description: 'print {measures: {...}, queries: {id: {...}}} in full precision' },
  },
  notes: `Measures: ndcg@k, ndcg, ndcg_exp@k, ndcg_exp, mrr@k, mrr, map@k, map,
recall@k, precision@k, success@k, and trec_eval's own names, such as
ndcg_cut_10, P_5 and recip_rank.`,
  async run({ qrels, run, measures, perQuery, convention, complete, json }) {
    const evaluation = evaluate(...(await Promise.all([readQrels(qrels), readRun(run)])), {
      measures,
      convention,
      complete,
    });
    process.stderr.write(`${scope(evaluation)}\n`);
    print(json ? toJson(evaluation) : table(evaluation, perQuery ?? false));
  },
});

/** The three columns of trec_eval: measure, query or "all", value. */
function table({ measures, queries }: Evaluation, perQuery: boolean): string {
  const row = (name: string, query: string, value: string): string => `${name.padEnd(22)}\t${query}\t${value}\n`;
  const rows = (query: string, values: Readonly<Record<string, number>>): string =>
    Object.entries(values).reduce((text, [name, value]) => text + row(name, query, value.toFixed(4)), '');
  const single = perQuery ? [...queries].map(([query, values]) => rows(query, values)) : [];
  return [...single, row('num_q', 'all', String(queries.size)), rows('all', measures)].join('');
}

function toJson({ measures, queries }: Evaluation): object {
  return { measures, queries: Object.fromEntries(queries) };
}

function scope({ convention, complete, queries, missing, unjudged }: Evaluation): string {
  const parts = [`convention ${convention}, mean over ${queries.size} judged queries`];
  if (missing.length > 0)
    parts.push(`${missing.length} that the run lacks ${complete ? 'count as 0' : 'are left out'}`);
  if (unjudged.length > 0) parts.push(`${unjudged.length} of the run are not judged and left out`);
  return parts.join('; ');
}
