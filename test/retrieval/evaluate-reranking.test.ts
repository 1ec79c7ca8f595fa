// What a reranker adds, through the library. Real: BM25 and the embedded datasets; the reranker is a stand-in.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  Bm25,
  type CandidateRanker,
  compare,
  compareRuns,
  type CompareRunsOptions,
  evaluate,
  evaluateReranking,
  findDatasets,
  openBeir,
  poolRuns,
  ZrankError,
} from 'zrank';
import { root, expectCode } from '../support.js';
import { toTable } from '../evaluation/tables.js';
import { shortestFirst } from './doubles.js';

const legal = join(root, 'data/domains/legal');
const pipeline = () => ({ retriever: new Bm25(), reranker: shortestFirst, candidates: 12 });

test('evaluateReranking() compares both runs on each measure, as evaluate() and compare() do', async () => {
  const dataset = await openBeir(legal);
  const measures = ['map', 'ndcg@10'];
  const options = { samples: 500, seed: 7, confidence: 0.9 };
  const result = await evaluateReranking(dataset, pipeline(), { measures, ...options });
  expect(result.qrels).toBe(dataset.qrels);
  expect(result.pairs).toBeGreaterThan(0);
  const [before, after] = [result.before, result.after].map((run) => evaluate(dataset.qrels, run, { measures }));
  expect(result.comparisons).toEqual(measures.map((measure) => compare(before!, after!, measure, options)));
  expect(result.comparisons[0]!.interval.confidence).toBe(0.9);
});

test('without measures it takes those of zrank eval', async () => {
  const { comparisons } = await evaluateReranking(await openBeir(legal), pipeline());
  expect(comparisons.map(({ measure }) => measure)).toEqual(['ndcg@10', 'mrr@10', 'recall@10']);
});

test.each([
  { measures: ['speed'] },
  { measures: [] },
  { measures: ['num_ret'] },
  { relevanceLevel: -1 },
  { convention: 'trec8' as 'trec' },
  { samples: 0 },
  { concurrency: 0 },
  { mesures: ['map'] },
])('refuses %j before it reads the corpus', async (options) => {
  const dataset = { ...(await openBeir(legal)), documents: () => expect.unreachable() };
  await expectCode(evaluateReranking(dataset, pipeline(), options), 'INVALID_ARGUMENT');
});

test('queries that are retrieved side by side give the same runs as one by one', async () => {
  const dataset = await openBeir(legal);
  const [one, eight] = [
    await evaluateReranking(dataset, pipeline(), { concurrency: 1 }),
    await evaluateReranking(dataset, pipeline(), { concurrency: 8 }),
  ];
  expect([...eight.before]).toEqual([...one.before]);
  expect(eight.comparisons).toEqual(one.comparisons);
});

test('the comparisons are over the queries that did not fail', async () => {
  const dataset = await openBeir(legal);
  const [id, text] = [...dataset.queries][0]!;
  const reranker: CandidateRanker = {
    async rank(query, ...rest) {
      if (query === text) throw new ZrankError('QUERY_TOO_LONG', 'too long');
      return shortestFirst.rank(query, ...rest);
    },
  };
  const { failed, qrels, comparisons } = await evaluateReranking(dataset, { ...pipeline(), reranker });
  expect([...failed.keys()]).toEqual([id]);
  expect([...qrels.keys()]).toEqual([...dataset.qrels.keys()].filter((query) => query !== id));
  expect(comparisons[0]!.differences.size).toBe(dataset.queries.size - 1);
});

test('compareRuns() counts a judged query that a run lacks as 0', () => {
  const qrels = toTable({ q1: { a: 1 }, q2: { a: 1 } });
  const before = toTable({ q1: { a: 1 } });
  const after = toTable({ q1: { a: 1 }, q2: { a: 1 } });
  expect(compareRuns({ qrels, before, after }, { measures: ['mrr'] })).toMatchObject([
    { measure: 'mrr', before: 0.5, after: 1, improved: 1, unchanged: 1 },
  ]);
});

test('compareRuns() follows the rules of evaluate()', () => {
  const qrels = toTable({ q1: { a: 1, b: 2 } });
  const [before, after] = [toTable({ q1: { q1: 3, a: 2, b: 1 } }), toTable({ q1: { b: 2, a: 1 } })];
  const changes = (options: CompareRunsOptions) =>
    compareRuns({ qrels, before, after }, options).map(({ measure, before, after }) => [measure, before, after]);
  expect(changes({ measures: ['success.1,2'], ignoreIdenticalIds: true, relevanceLevel: 2 })).toEqual([
    ['success_1', 0, 1],
    ['success_2', 1, 1],
  ]);
  expect(changes({ measures: ['mrr'], judgedOnly: true, maxRetrieved: 2 })).toEqual([['mrr', 1, 1]]);
});

test('poolRuns() makes one comparison over the queries of several datasets', () => {
  const qrels = toTable({ q: { a: 1 } });
  const [found, missed] = [toTable({ q: { a: 1 } }), toTable({ q: { b: 1 } })];
  const pooled = poolRuns([
    ['one', { qrels, before: missed, after: found }],
    ['two', { qrels, before: missed, after: missed }],
  ]);
  const [comparison] = compareRuns(pooled, { measures: ['mrr'] });
  expect(comparison).toMatchObject({ before: 0, after: 0.5, change: 0.5 });
  expect([...comparison!.differences]).toEqual([
    ['one/q', 1],
    ['two/q', 0],
  ]);
});

test('findDatasets() finds the folder itself, or those in it', async () => {
  expect(await findDatasets(legal)).toEqual([{ name: 'legal', folder: legal }]);
  const found = await findDatasets(join(root, 'data/domains'));
  expect(found.map(({ name }) => name)).toEqual(['code', 'everyday', 'finance', 'legal']);
  expect(found[3]).toEqual({ name: 'legal', folder: legal });
  await expectCode(findDatasets(join(root, 'docs')), 'FILE_NOT_FOUND', /is no BEIR folder and holds none/);
  await expectCode(findDatasets('/no/such/folder'), 'FILE_NOT_FOUND', /there is no folder/);
});
