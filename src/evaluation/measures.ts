import { ZrankError } from '../error.js';
import * as binary from './binary-measures.js';
import * as graded from './graded-measures.js';
import type { JudgedRanking } from './judged-ranking.js';

type Summary = 'mean' | 'sum' | 'geometric mean';

/** A measure by name, of the ranks or the share that the name has. */
export interface Measure {
  name: string;
  /** One query's value. */
  of: (ranking: JudgedRanking) => number;
  /** What is made of the queries' values. Sums are whole numbers. */
  summary: Summary;
  /** trec_eval prints no value of a single query. */
  summaryOnly: boolean;
}

interface Family {
  formula: (ranking: JudgedRanking, parameter: number) => number;
  /** What may follow the name. */
  takes?: 'ranks' | 'share' | 'weight';
  /** The numbers that the name alone stands for, which are trec_eval's. */
  defaults?: readonly number[];
  /** The number that the formula is given where the name has none. @default Infinity */
  alone?: number;
  /** @default 'mean' */
  summary?: Summary;
  summaryOnly?: true;
}

/** The measures that are taken where none are named. */
export const defaultMeasures: readonly string[] = [
  'ndcg@10',
  'ndcg@5',
  'ndcg@100',
  'ndcg',
  'map',
  'map@10',
  'mrr',
  'precision@5',
  'precision@10',
  'recall@10',
  'recall@100',
  'success@1',
  'success@5',
  'success@10',
];

/** trec_eval's, for a name without any. */
const cutoffs = [5, 10, 15, 20, 30, 100, 200, 500, 1000];

const count = (of: Family['formula']): Family => ({ formula: of, summary: 'sum' });

/** By their names in lower case. */
const families = new Map<string, Family>(
  Object.entries({
    ndcg: { formula: graded.ndcg, takes: 'ranks' },
    ndcg_exp: { formula: (ranking, k) => graded.ndcg(ranking, k, graded.exponentialGain), takes: 'ranks' },
    ndcg_rel: { formula: graded.ndcgAtRelevant },
    rndcg: { formula: graded.ndcgAtLevels },
    g: { formula: graded.normalizedGain },
    mrr: { formula: binary.reciprocalRank, takes: 'ranks' },
    map: { formula: binary.averagePrecision, takes: 'ranks' },
    gm_map: { formula: (ranking) => binary.averagePrecision(ranking), summary: 'geometric mean', summaryOnly: true },
    recall: { formula: binary.recall, takes: 'ranks', defaults: cutoffs },
    precision: { formula: binary.precision, takes: 'ranks', defaults: cutoffs },
    relative_p: { formula: binary.relativePrecision, takes: 'ranks', defaults: cutoffs },
    rprec: { formula: binary.rPrecision },
    rprec_mult: {
      formula: binary.rPrecisionMultiple,
      takes: 'share',
      defaults: [0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2],
    },
    success: { formula: binary.success, takes: 'ranks', defaults: [1, 5, 10] },
    unj: { formula: binary.unjudgedShare, takes: 'ranks', defaults: [5, 10, 20] },
    iprec_at_recall: { formula: binary.interpolatedPrecision, takes: 'share', defaults: binary.recallPoints },
    '11pt_avg': { formula: binary.elevenPointAverage },
    bpref: { formula: binary.binaryPreference },
    gm_bpref: { formula: binary.binaryPreference, summary: 'geometric mean', summaryOnly: true },
    infap: { formula: binary.inferredAveragePrecision },
    bing: { formula: binary.binaryGain },
    set_p: { formula: binary.setPrecision },
    set_recall: { formula: (ranking) => binary.recall(ranking) },
    set_relative_p: { formula: binary.setRelativePrecision },
    set_map: { formula: binary.setAveragePrecision },
    set_f: { formula: binary.setF, takes: 'weight', alone: 1 },
    utility: { formula: binary.utility },
    num_q: { ...count(() => 1), summaryOnly: true },
    num_ret: count(({ grades }) => grades.length),
    num_rel: count(({ relevant }) => relevant),
    num_rel_ret: count(({ relevantRanks }) => relevantRanks.length),
    num_nonrel_judged_ret: count(binary.judgedNonrelevant),
  } satisfies Record<string, Family>),
);

/** What trec_eval (recip_rank, P), ranx (ndcg_burges, hit_rate) and ir_measures (AP, RR, R) call them. */
const otherNames = new Map([
  ['recip_rank', 'mrr'],
  ['rr', 'mrr'],
  ['p', 'precision'],
  ['ap', 'map'],
  ['r', 'recall'],
  ['ndcg_burges', 'ndcg_exp'],
  ['hit_rate', 'success'],
]);

const official = 'num_q num_ret num_rel num_rel_ret map gm_map Rprec bpref recip_rank iprec_at_recall P';

/** trec_eval's names for several, in the order in which it prints them. */
const nicknames = new Map([
  ['official', official],
  [
    'all_trec',
    `${official} recall infAP gm_bpref Rprec_mult utility 11pt_avg binG G ndcg ndcg_rel Rndcg ndcg_cut map_cut relative_P
    success set_P set_relative_P set_recall set_map set_F num_nonrel_judged_ret unj`,
  ],
  ['set', 'num_q num_ret num_rel num_rel_ret utility set_P set_relative_P set_recall set_map set_F'],
]);

/**
 * The measures that a name stands for, in either case: `ndcg@10`, `map`, or as trec_eval spells them: `P.5,10`,
 * `ndcg_cut_10`, `recall` for all of its cutoffs, `official` for many. They have trec_eval's names: of `P.5,10` these
 * are `P_5` and `P_10`.
 *
 * @throws ZrankError INVALID_ARGUMENT
 */
export function parseMeasures(name: string): Measure[] {
  const nickname = nicknames.get(String(name).toLowerCase());
  if (nickname !== undefined) return nickname.split(/\s+/).flatMap(parseMeasures);

  const [, word = '', separator = '_', list] =
    /^(11pt_avg|[a-z_]+?)(?:([@_.])([\d.]+(?:,\s*[\d.]+)*))?$/i.exec(name) ?? [];
  const base = word.toLowerCase().replace(/_cut$/, '');
  const family = families.get(otherNames.get(base) ?? base);
  const isCut = base.length < word.length;
  const texts = list?.split(/,\s*/) ?? (family?.defaults ?? (isCut ? cutoffs : undefined))?.map(String);
  if (!family || !(texts ?? []).every((text) => isFit(family, Number(text)))) {
    throw ZrankError.argument('measure', `one of ${spellings()}`, name);
  }
  const measure = (name: string, parameter: number): Measure => ({
    name,
    of: (ranking) => family.formula(ranking, parameter),
    summary: family.summary ?? 'mean',
    summaryOnly: family.summaryOnly ?? false,
  });
  if (!texts) return [measure(word, family.alone ?? Infinity)];
  return texts
    .sort((a, b) => Number(a) - Number(b))
    .map((text) => measure(`${word}${separator.replace('.', '_')}${spell(family, text)}`, Number(text)));
}

function isFit({ takes }: Family, parameter: number): boolean {
  if (takes === 'ranks') return Number.isSafeInteger(parameter) && parameter > 0;
  return takes !== undefined && parameter >= 0;
}

/**
 * As trec_eval has it: a weight as it was written, a share with two digits after the point, and more where they tell
 * it from another.
 */
function spell({ takes }: Family, text: string): string {
  const number = String(Number(text));
  if (takes === 'weight') return text;
  return takes === 'share' && number.length < '0.00'.length ? Number(text).toFixed(2) : number;
}

function spellings(): string {
  return [...families].map(([name, { takes }]) => (takes === 'ranks' ? `${name}@k` : name)).join(', ');
}

/**
 * A measure's value over all queries: the sum, or a mean of it; no value counts below 0.00001 in a geometric mean.
 * trec_eval meas_acc.c, meas_avg.c. In the same order of the queries it is the same to the last bit, which a more
 * exact sum would not be.
 */
export function summarize({ summary }: Measure, values: readonly number[]): number {
  const sum = (terms: readonly number[]): number => terms.reduce((total, term) => total + term, 0);
  if (summary === 'sum') return sum(values);
  if (summary === 'mean') return sum(values) / values.length;
  return Math.exp(sum(values.map((value) => Math.log(Math.max(value, 1e-5)))) / values.length);
}
