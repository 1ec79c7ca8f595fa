// Values of other programs: trec_eval 9 and 10, scikit-learn and ranx, on golden cases, the Cranfield collection and
// random data with many ties.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Convention, conventions, evaluate, readQrels, readRun } from 'zrank';
import type { EvaluateOptions } from '../../dist/evaluation/evaluate.js';
import { defaultMeasures } from '../../dist/evaluation/measures.js';
import { type PlainTable, toTable } from './tables.js';

const here = (name: string): string => `${import.meta.dirname}/${name}`;
const readJson = (name: string) => JSON.parse(readFileSync(here(name), 'utf8'));

function value(grades: Record<string, number>, scores: Record<string, number>, convention: Convention, name: string) {
  return evaluate(toTable({ q: grades }), toTable({ q: scores }), { convention, measures: [name] }).measures[name]!;
}

describe('golden cases', () => {
  const tie = { a: 0.5, b: 0.5 };

  test('A: a tie of a relevant and an irrelevant document', () => {
    expect(value({ a: 1 }, tie, 'trec', 'ndcg@10')).toBeCloseTo(0.6309297535714575, 9);
    expect(value({ b: 1 }, tie, 'trec', 'ndcg@10')).toBeCloseTo(1, 9);
    expect(value({ a: 1 }, tie, 'sklearn', 'ndcg@10')).toBeCloseTo(0.8154648767857287, 9);
    expect(value({ b: 1 }, tie, 'sklearn', 'ndcg@10')).toBeCloseTo(0.8154648767857287, 9);
  });

  test('B: a relevant document that is not retrieved', () => {
    expect(value({ a: 1, b: 1 }, { a: 1 }, 'trec', 'ndcg@10')).toBeCloseTo(0.6131471927654584, 9);
    expect(value({ a: 1, b: 1 }, { a: 1 }, 'sklearn', 'ndcg@10')).toBeCloseTo(1, 9);
  });

  test('C: grades from 1 to 3, one of them not retrieved', () => {
    const grades = { a: 2, b: 1, c: 3, zz: 3 };
    const scores = { d: 0.95, a: 0.9, b: 0.8, c: 0.7 };
    expect(value(grades, scores, 'trec', 'ndcg@10')).toBeCloseTo(0.48294547149913075, 9);
    expect(value(grades, scores, 'trec', 'ndcg_exp@10')).toBeCloseTo(0.40514349916160386, 9);
    expect(value(grades, scores, 'ranx', 'ndcg@10')).toBeCloseTo(0.48294547149913075, 9);
    expect(value(grades, scores, 'ranx', 'ndcg_burges@10')).toBeCloseTo(0.40514349916160386, 9);
    expect(value(grades, scores, 'sklearn', 'ndcg@10')).toBeCloseTo(0.6413228228976893, 9);
  });

  test('D: scores that are equal as float32 only', () => {
    const scores = { a: 0.99999999, b: 0.99999998 };
    expect(value({ a: 1 }, scores, 'trec9', 'ndcg@10')).toBeCloseTo(0.6309297535714575, 9);
    expect(value({ a: 1 }, scores, 'trec', 'ndcg@10')).toBeCloseTo(1, 9);
    expect(value({ b: 1 }, scores, 'trec9', 'ndcg@10')).toBeCloseTo(1, 9);
    expect(value({ b: 1 }, scores, 'trec', 'ndcg@10')).toBeCloseTo(0.6309297535714575, 9);
  });
});

describe('Cranfield', () => {
  test('equals trec_eval 10 on every query and measure', async () => {
    const expected: { queries: PlainTable; all: Record<string, number> } = readJson('cranfield/bm25.expected.json');
    const measures = Object.keys(expected.all);
    const [qrels, run] = await Promise.all([
      readQrels(here('cranfield/qrels.tsv')),
      readRun(here('cranfield/bm25.trec')),
    ]);
    const evaluation = evaluate(qrels, run, { measures });

    expect(evaluation.missing).toEqual(['7', '100']);
    expect([...evaluation.queries.keys()].sort()).toEqual(Object.keys(expected.queries).sort());
    for (const name of measures) {
      expect(Math.abs(evaluation.measures[name]! - expected.all[name]!), `mean ${name}`).toBeLessThan(1e-9);
      for (const [query, values] of Object.entries(expected.queries)) {
        const difference = Math.abs(evaluation.queries.get(query)![name]! - values[name]!);
        expect(difference, `${name} of query ${query}`).toBeLessThan(1e-9);
      }
    }
  });

  test.each(readJson('peers/peers.json').cranfield as { options: EvaluateOptions; measures: Record<string, number> }[])(
    'equals pytrec_eval in its means, $options',
    async ({ options, measures }) => {
      const [qrels, run] = await Promise.all([
        readQrels(here('cranfield/qrels.tsv')),
        readRun(here('cranfield/bm25.trec')),
      ]);
      const evaluation = evaluate(qrels, run, { ...options, convention: 'trec9', measures: Object.keys(measures) });
      for (const [name, expected] of Object.entries(measures)) {
        expect(evaluation.measures[name], name).toBeCloseTo(expected, 9);
      }
    },
  );

  test('each measure has the same value under each of its names', async () => {
    const [qrels, run] = await Promise.all([
      readQrels(here('cranfield/qrels.tsv')),
      readRun(here('cranfield/bm25.trec')),
    ]);
    const groups = [
      ['ndcg@10', 'ndcg_cut_10', 'ndcg_cut.10', 'nDCG@10'],
      ['ndcg_exp@5', 'ndcg_burges@5'],
      ['mrr', 'recip_rank', 'RR', 'mrr@50'],
      ['map@10', 'map_cut_10', 'AP@10'],
      ['precision@5', 'P_5', 'p@5', 'P.5'],
      ['recall@100', 'recall_100', 'R@100'],
      ['Rprec', 'rprec'],
      ['set_F', 'set_F.1.0'],
      ['iprec_at_recall_0.10', 'iprec_at_recall..1', 'iprec_at_recall@0.1'],
      ['success@5', 'success_5', 'hit_rate@5'],
      ['ndcg', 'ndcg@100'],
      ['map', 'map@1000', 'AP'],
    ];
    const { measures } = evaluate(qrels, run, { measures: groups.flat() });
    for (const [first, ...others] of groups) {
      for (const other of others) expect(measures[other], other).toBe(measures[first!]);
    }
  });
});

describe('random data with many ties', () => {
  interface Case {
    qrels: PlainTable;
    run: PlainTable;
    queries: PlainTable;
    measures?: Record<string, number>;
  }
  interface TrecCase {
    qrels: PlainTable;
    run: PlainTable;
    evaluations: { options: EvaluateOptions; measures: string[]; queries: Record<string, number[]> }[];
  }
  const { trec9, ...peers }: Record<'sklearn' | 'ranx', Case> & { trec9: TrecCase } = readJson('peers/peers.json');

  test.each(['sklearn', 'ranx'] as const)('%s equals its program', (convention) => {
    const { qrels, run, queries, measures = {} } = peers[convention];
    const names = Object.keys(Object.values(queries)[0]!);
    const evaluation = evaluate(toTable(qrels), toTable(run), { convention, measures: names });
    expect([...evaluation.queries.keys()].sort()).toEqual(Object.keys(queries).sort());
    for (const [query, values] of Object.entries(queries)) {
      for (const [name, expected] of Object.entries(values)) {
        expect(Math.abs(evaluation.queries.get(query)![name]! - expected), `${name} of ${query}`).toBeLessThan(1e-9);
      }
    }
    for (const [name, expected] of Object.entries(measures)) {
      expect(evaluation.measures[name], name).toBeCloseTo(expected, 9);
    }
  });

  test.each(trec9.evaluations)('trec9 equals pytrec_eval on every measure, $options', (expected) => {
    const { measures } = expected;
    const options = { ...expected.options, convention: 'trec9' as const, measures };
    const { queries } = evaluate(toTable(trec9.qrels), toTable(trec9.run), options);
    expect([...queries.keys()].sort()).toEqual(Object.keys(expected.queries).sort());
    for (const [query, values] of Object.entries(expected.queries)) {
      values.forEach((value, i) => {
        // Of one query gm_map is map, no less than what its logarithm allows.
        const least = measures[i]!.startsWith('gm_') ? 1e-5 : -Infinity;
        const own = Math.max(least, queries.get(query)![measures[i]!]!);
        expect(Math.abs(own - value), `${measures[i]} of ${query}`).toBeLessThan(1e-9);
      });
    }
  });

  test('trec differs from trec9 where scores are equal as float32 only', () => {
    const [old, now] = (['trec9', 'trec'] as const).map((convention) =>
      evaluate(toTable(trec9.qrels), toTable(trec9.run), { convention, measures: ['ndcg'] }),
    );
    expect([...old!.queries].some(([query, { ndcg }]) => now!.queries.get(query)!['ndcg'] !== ndcg)).toBe(true);
  });
});

describe('conventions', () => {
  test('queries that the run lacks count as 0 for trec, and are left out for the others, unless complete says', () => {
    const qrels = toTable({ q1: { a: 1 }, q2: { a: 1 } });
    const run = toTable({ q1: { a: 1 }, q3: { a: 1 } });
    for (const convention of conventions) {
      const mean = (complete?: boolean) =>
        evaluate(qrels, run, { convention, measures: ['ndcg@10'], ...(complete !== undefined && { complete }) });
      expect(mean().complete).toBe(convention === 'trec');
      expect(mean(true).measures).toEqual({ 'ndcg@10': 0.5 });
      expect(mean(true).queries.get('q2')).toEqual({ 'ndcg@10': 0 });
      expect(mean(false).measures).toEqual({ 'ndcg@10': 1 });
      expect(mean(false).queries.has('q2')).toBe(false);
      expect(mean()).toMatchObject({ convention, missing: ['q2'], unjudged: ['q3'] });
    }
  });

  test('ranx keeps the order of the run in a tie', () => {
    expect(value({ a: 1 }, { a: 0.5, b: 0.5 }, 'ranx', 'mrr')).toBe(1);
    expect(value({ b: 1 }, { a: 0.5, b: 0.5 }, 'ranx', 'mrr')).toBe(0.5);
  });

  test('sklearn takes the measures that it has no form of from trec', () => {
    expect(value({ a: 1, b: 1, c: 1 }, { a: 0.5, z: 0.5 }, 'sklearn', 'mrr')).toBe(0.5);
    expect(value({ a: 1, b: 1, c: 1 }, { a: 0.5, z: 0.5 }, 'sklearn', 'recall@2')).toBeCloseTo(1 / 3, 12);
  });
});

describe('measures', () => {
  const grades = { a: 1, b: 2, x: 0, y: -1 };

  test.each([
    ['precision@10', 0.2],
    ['precision@3', 1 / 3],
    ['recall@2', 0.5],
    ['map', (1 / 2 + 2 / 4) / 2],
    ['map@3', 1 / 2 / 2],
    ['mrr', 0.5],
    ['mrr@1', 0],
    ['success@1', 0],
    ['success@2', 1],
    ['ndcg@2', 1 / Math.log2(3) / (2 + 1 / Math.log2(3))],
    ['ndcg_exp', (1 / Math.log2(3) + 3 / Math.log2(5)) / (3 + 1 / Math.log2(3))],
  ])('%s by hand', (name, expected) => {
    expect(value(grades, { y: 4, a: 3, x: 2, b: 1 }, 'trec', name)).toBeCloseTo(expected, 12);
  });

  test.each([
    ['Rprec', 0],
    ['bpref', (1 - 1 / 1 + (1 - 1 / 1)) / 2],
    ['num_rel_ret', 2],
    ['set_P', 0.5],
    ['set_F.0.5', (1.5 * 0.5 * 1) / (0.5 * 0.5 + 1)],
    ['relative_P@3', 1 / 2],
    ['unj@4', 1 / 4],
    ['iprec_at_recall@1', 1 / 2],
    ['Rprec_mult@1.5', 1 / 3],
    ['utility', 0],
    ['gm_map', (1 / 3 + 2 / 4) / 2],
  ])('%s by hand, after a judged and an unjudged document', (name, expected) => {
    expect(value(grades, { x: 4, y: 3, a: 2, b: 1 }, 'trec', name)).toBeCloseTo(expected, 12);
  });

  test('a query without a relevant document is 0 in every measure but those that count', () => {
    const { measures } = evaluate(toTable({ q: { x: 0, y: -1 } }), toTable({ q: { x: 2, y: 1 } }), {
      measures: [...defaultMeasures, 'all_trec'],
    });
    const { num_q, num_ret, num_nonrel_judged_ret, utility, gm_map, gm_bpref, unj_5, unj_10, unj_20, ...others } =
      measures;
    expect(new Set(Object.values(others))).toEqual(new Set([0]));
    expect([num_q, num_ret, num_nonrel_judged_ret, utility]).toEqual([1, 2, 1, -2]);
    expect([unj_5, unj_10, unj_20]).toEqual([1 / 5, 1 / 10, 1 / 20]);
    for (const mean of [gm_map, gm_bpref]) expect(mean).toBeCloseTo(1e-5, 12);
  });

  test('over queries counts are summed, and gm_map is a geometric mean', () => {
    const qrels = toTable({ q1: { a: 1 }, q2: { a: 1, b: 1 } });
    const run = toTable({ q1: { x: 2, a: 1 }, q2: { a: 2, x: 1 } });
    const { measures } = evaluate(qrels, run, { measures: ['num_q', 'num_ret', 'num_rel', 'gm_map', 'map'] });
    expect(measures).toMatchObject({ num_q: 2, num_ret: 4, num_rel: 3, map: 0.5 });
    expect(measures['gm_map']).toBeCloseTo(0.5, 12);
    expect(evaluate(qrels, toTable({ q1: { a: 1 } }), { measures: ['gm_map'] }).measures['gm_map']).toBeCloseTo(
      Math.sqrt(1e-5),
      12,
    );
  });

  test("a name that stands for several gives trec_eval's name of each, any other its own", () => {
    const names = (...measures: string[]) =>
      Object.keys(evaluate(toTable({ q: grades }), toTable({ q: { a: 1 } }), { measures }).measures);
    expect(names('ndcg_cut.10,5', 'ndcg_cut.10', 'P.5')).toEqual(['ndcg_cut_5', 'ndcg_cut_10', 'ndcg_cut.10', 'P.5']);
    expect(names('ndcg@5,10')).toEqual(['ndcg@5', 'ndcg@10']);
    expect(names('success')).toEqual(['success_1', 'success_5', 'success_10']);
    expect(names('P.05,10', 'set_F.0.50,1.0')).toEqual(['P_5', 'P_10', 'set_F_0.50', 'set_F_1.0']);
    expect(names('recall')).toContain('recall_1000');
    expect(names('iprec_at_recall')).toHaveLength(11);
    expect(names('iprec_at_recall.0,.125')).toEqual(['iprec_at_recall_0.00', 'iprec_at_recall_0.125']);
    expect(names('set')).toEqual([
      'num_q',
      'num_ret',
      'num_rel',
      'num_rel_ret',
      'utility',
      'set_P',
      'set_relative_P',
      'set_recall',
      'set_map',
      'set_F',
    ]);
  });

  test('a query for which nothing was retrieved is 0', () => {
    const { queries } = evaluate(toTable({ q: { a: 1 } }), toTable({ q: {} }), { convention: 'trec9' });
    expect(new Set(Object.values(queries.get('q')!))).toEqual(new Set([0]));
  });

  test.each(['ndcg@0', 'ndcg@', 'ndcg@5,', 'P.5,0', 'P.1.5', 'P_x', 'bpref.5', 'rbp', 'toString', ''])(
    'refuses %j',
    (name) => {
      expect(() => value(grades, { a: 1 }, 'trec', name)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    },
  );
});

describe('what is counted', () => {
  const qrels = toTable({ q: { a: 2, b: 1, x: 0, y: -1 } });
  const run = toTable({ q: { z: 6, q: 5, y: 4, x: 3, b: 2, a: 1 } });
  const measure = (name: string, options: EvaluateOptions) =>
    evaluate(qrels, run, { ...options, measures: [name] }).measures[name];

  test('relevanceLevel is the least grade of a relevant document, and leaves the gains of NDCG', () => {
    expect(measure('mrr', {})).toBe(1 / 5);
    expect(measure('mrr', { relevanceLevel: 2 })).toBe(1 / 6);
    expect(measure('mrr', { relevanceLevel: 0 })).toBe(1 / 4);
    expect(measure('num_rel', { relevanceLevel: 0 })).toBe(3);
    expect(measure('ndcg', { relevanceLevel: 2 })).toBe(measure('ndcg', {}));
  });

  test('judgedOnly takes out documents that nobody judged, a negative grade being none', () => {
    expect(measure('num_ret', { judgedOnly: true })).toBe(3);
    expect(measure('mrr', { judgedOnly: true })).toBe(1 / 2);
    expect(evaluate(qrels, toTable({ q: { z: 1 } }), { judgedOnly: true }).measures['map']).toBe(0);
  });

  test('maxRetrieved cuts the ranking, before judgedOnly takes out more', () => {
    expect(measure('set_P', { maxRetrieved: 5 })).toBe(1 / 5);
    expect(measure('num_ret', { maxRetrieved: 5, judgedOnly: true })).toBe(2);
  });

  test("ignoreIdenticalIds takes out the query's own document first", () => {
    expect(measure('mrr', { ignoreIdenticalIds: true })).toBe(1 / 4);
    expect(measure('num_ret', { ignoreIdenticalIds: true, maxRetrieved: 5 })).toBe(5);
    expect(measure('P@4', { ignoreIdenticalIds: true, maxRetrieved: 4 })).toBe(1 / 4);
  });

  test('the evaluation says what it counted', () => {
    expect(evaluate(qrels, run)).toMatchObject({
      convention: 'trec',
      complete: true,
      relevanceLevel: 1,
      judgedOnly: false,
      maxRetrieved: Infinity,
      ignoreIdenticalIds: false,
    });
  });
});

describe('bad data', () => {
  const qrels = toTable({ q: { a: 1 } });

  test.each([
    ['a score that is NaN', qrels, toTable({ q: { a: NaN } }), {}, 'DATA_INVALID'],
    ['a grade with a fraction', toTable({ q: { a: 0.5 } }), toTable({ q: { a: 1 } }), {}, 'DATA_INVALID'],
    [
      'grades that overflow',
      toTable({ q: { a: 2000 } }),
      toTable({ q: { a: 1 } }),
      { measures: ['ndcg_exp'] },
      'DATA_INVALID',
    ],
    ['no query in common', qrels, toTable({ Q: { a: 1 } }), {}, 'UNKNOWN_ID'],
    ['an empty run', qrels, new Map(), {}, 'UNKNOWN_ID'],
    ['no measures', qrels, qrels, { measures: [] }, 'INVALID_ARGUMENT'],
    ['an unknown convention', qrels, qrels, { convention: 'trec8' as Convention }, 'INVALID_ARGUMENT'],
    ['complete that is no boolean', qrels, qrels, { complete: 1 as never }, 'INVALID_ARGUMENT'],
    ['a relevance level with a fraction', qrels, qrels, { relevanceLevel: 0.5 }, 'INVALID_ARGUMENT'],
    ['a negative relevance level', qrels, qrels, { relevanceLevel: -1 }, 'INVALID_ARGUMENT'],
    ['judgedOnly that is no boolean', qrels, qrels, { judgedOnly: 1 as never }, 'INVALID_ARGUMENT'],
    ['no documents at all', qrels, qrels, { maxRetrieved: 0 }, 'INVALID_ARGUMENT'],
    ['a misspelled option', qrels, qrels, { ignoreIdenticalIDs: true } as never, 'INVALID_ARGUMENT'],
  ])('%s', (_, judged, run, options, code) => {
    expect(() => evaluate(judged, run, options)).toThrow(expect.objectContaining({ name: 'ZrankError', code }));
  });
});
