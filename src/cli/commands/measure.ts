import { compareUtf8 } from '../../evaluation/rank.js';
import { conventions } from '../../evaluation/conventions.js';
import { evaluate, type Evaluation } from '../../evaluation/evaluate.js';
import { defaultMeasures, type Measure, parseMeasures } from '../../evaluation/measures.js';
import { readQrels } from '../../evaluation/qrels.js';
import { readRun } from '../../evaluation/run.js';
import { defineCommand, positiveInteger, wholeNumber } from '../command.js';
import { measuresOption } from '../measures-option.js';
import { print } from '../output.js';

/** On stdout trec_eval's three columns, or JSON; on stderr the convention and the queries that the means are over. */
export const command = defineCommand({
  positionals: {
    qrels: { description: 'a TREC or a BEIR (.tsv) file, or JSON' },
    run: { description: 'a TREC file, or JSON' },
  },
  options: {
    measures: { ...measuresOption, short: 'm', description: 'what to measure', default: defaultMeasures },
    perQuery: { short: 'q', description: 'the values of each query too' },
    nosummary: { short: 'n', description: 'no values over all queries' },
    convention: { value: 'name', description: 'whose rules to follow', choices: conventions, default: 'trec' },
    complete: {
      short: 'c',
      description: 'count judged queries that the run lacks as 0 (the default for trec)',
      negation: 'leave them out (the default for the other conventions)',
    },
    relevanceLevel: {
      value: 'grade',
      short: 'l',
      description: 'the least grade of a relevant document',
      parse: wholeNumber,
      default: 1,
    },
    judgedOnly: { short: 'J', description: 'take documents that nobody judged out of the run' },
    maxRetrieved: {
      value: 'n',
      short: 'M',
      description: 'take no more documents of each query',
      parse: positiveInteger,
    },
    ignoreIdenticalIds: { description: "take documents whose id is the query's out of the run, as BEIR does" },
    json: { description: 'print {measures: {...}, queries: {id: {...}}} in full precision' },
  },
  notes: `Measures: ndcg@k, ndcg, ndcg_exp@k, ndcg_exp, mrr@k, mrr, map@k, map,
recall@k, precision@k, success@k, and trec_eval's own names: ndcg_cut.5,10 or
ndcg_cut_10, P.5, recip_rank, Rprec, bpref, infAP, iprec_at_recall, gm_map,
set_F, num_rel_ret and the rest; official, set and all_trec for many.`,
  async run({ qrels, run, perQuery, nosummary, json, ...options }) {
    const evaluation = evaluate(...(await Promise.all([readQrels(qrels), readRun(run)])), options);
    process.stderr.write(`${scope(evaluation)}\n`);
    const rows = [perQuery ? queryRows(evaluation) : '', nosummary ? '' : summaryRows(evaluation)];
    print(json ? toJson(evaluation) : rows.join(''));
  },
});

/** The three columns of trec_eval: measure, query or "all", value; the queries in the order of its sort. */
function queryRows({ queries }: Evaluation): string {
  return [...queries.entries()]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([query, values]) => toRows(query, values, ({ summaryOnly }) => !summaryOnly))
    .join('');
}

function summaryRows({ measures, queries }: Evaluation): string {
  return toRows('all', { num_q: queries.size, ...measures }, () => true);
}

function toRows(
  query: string,
  values: Readonly<Record<string, number>>,
  isPrinted: (measure: Measure) => boolean,
): string {
  return Object.entries(values)
    .map(([name, value]) => ({ name, value, measure: parseMeasures(name)[0]! }))
    .filter(({ measure }) => isPrinted(measure))
    .map(({ name, value, measure }) => {
      const text = measure.summary === 'sum' ? String(value) : fourDigits(value);
      return `${name.padEnd(22)}\t${query}\t${text}\n`;
    })
    .join('');
}

/** As printf's %6.4f, which rounds what lies halfway, an odd multiple of 1/32, to the even digit; toFixed rounds up. */
function fourDigits(value: number): string {
  const isHalfway = Math.abs((value * 32) % 2) === 1;
  return (isHalfway ? (2 * Math.round(value * 5000)) / 10_000 : value).toFixed(4);
}

function toJson({ measures, queries }: Evaluation): object {
  return { measures, queries: Object.fromEntries(queries) };
}

function scope(evaluation: Evaluation): string {
  const { convention, complete, queries, missing, unjudged } = evaluation;
  const { relevanceLevel, judgedOnly, maxRetrieved, ignoreIdenticalIds } = evaluation;
  const parts = [`convention ${convention}, mean over ${queries.size} judged queries`];
  if (missing.length > 0)
    parts.push(`${missing.length} that the run lacks ${complete ? 'count as 0' : 'are left out'}`);
  if (unjudged.length > 0) parts.push(`${unjudged.length} of the run are not judged and left out`);
  if (relevanceLevel !== 1) parts.push(`relevant from grade ${relevanceLevel} on`);
  if (ignoreIdenticalIds) parts.push("documents whose id is the query's left out");
  if (maxRetrieved < Infinity) parts.push(`the first ${maxRetrieved} documents of each`);
  if (judgedOnly) parts.push('judged documents only');
  return parts.join('; ');
}
