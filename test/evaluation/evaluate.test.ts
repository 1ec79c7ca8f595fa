// Values of other programs: trec_eval 9 and 10, scikit-learn and ranx, on golden cases, the Cranfield collection and
// random data with many ties.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Convention, conventions, evaluate, readQrels, readRun } from 'zrank';
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

  test('each measure has the same value under each of its names', async () => {
    const [qrels, run] = await Promise.all([
      readQrels(here('cranfield/qrels.tsv')),
      readRun(here('cranfield/bm25.trec')),
    ]);
    const groups = [
      ['ndcg@10', 'ndcg_cut_10', 'ndcg_cut.10', 'nDCG@10'],
      ['ndcg_exp@5', 'ndcg_burges@5'],
      ['mrr', 'recip_rank', 'mrr@50'],
      ['map@10', 'map_cut_10'],
      ['precision@5', 'P_5', 'p@5'],
      ['recall@100', 'recall_100'],
      ['success@5', 'success_5', 'hit_rate@5'],
      ['ndcg', 'ndcg@100'],
      ['map', 'map@1000'],
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
  const cases: Record<'trec9' | 'sklearn' | 'ranx', Case> = readJson('peers/peers.json');

  function evaluateCase({ qrels, run, queries }: Case, convention: Convention) {
    const measures = Object.keys(Object.values(queries)[0]!);
    return evaluate(toTable(qrels), toTable(run), { convention, measures });
  }

  test.each(['trec9', 'sklearn', 'ranx'] as const)('%s equals its program', (convention) => {
    const evaluation = evaluateCase(cases[convention], convention);
    expect([...evaluation.queries.keys()].sort()).toEqual(Object.keys(cases[convention].queries).sort());
    for (const [query, values] of Object.entries(cases[convention].queries)) {
      for (const [name, expected] of Object.entries(values)) {
        expect(Math.abs(evaluation.queries.get(query)![name]! - expected), `${name} of ${query}`).toBeLessThan(1e-9);
      }
    }
    for (const [name, expected] of Object.entries(cases[convention].measures ?? {})) {
      expect(evaluation.measures[name], name).toBeCloseTo(expected, 9);
    }
  });

  test('trec differs from trec9 where scores are equal as float32 only', () => {
    const [old, now] = [evaluateCase(cases.trec9, 'trec9'), evaluateCase(cases.trec9, 'trec')];
    expect([...old.queries].some(([query, { ndcg }]) => now.queries.get(query)!['ndcg'] !== ndcg)).toBe(true);
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

  test('a query without a relevant document is 0 in every measure', () => {
    const { measures } = evaluate(toTable({ q: { x: 0, y: -1 } }), toTable({ q: { x: 2, y: 1 } }));
    expect(new Set(Object.values(measures))).toEqual(new Set([0]));
  });

  test('a query for which nothing was retrieved is 0', () => {
    const { queries } = evaluate(toTable({ q: { a: 1 } }), toTable({ q: {} }), { convention: 'trec9' });
    expect(new Set(Object.values(queries.get('q')!))).toEqual(new Set([0]));
  });

  test.each(['ndcg@0', 'ndcg@', 'ndcg_cut', 'recall', 'precision', 'P_x', 'toString', 'bpref', ''])(
    'refuses %j',
    (name) => {
      expect(() => value(grades, { a: 1 }, 'trec', name)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    },
  );
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
  ])('%s', (_, judged, run, options, code) => {
    expect(() => evaluate(judged, run, options)).toThrow(expect.objectContaining({ name: 'ZrankError', code }));
  });
});
