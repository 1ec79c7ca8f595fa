import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { benchmark, Bm25, type CandidateRanker, evaluate, openBeir, ZrankError } from 'zrank';
import { shortestFirst } from './doubles.js';

const domain = (name: string) => fileURLToPath(new URL(`../../data/domains/${name}`, import.meta.url));

test('runs a dataset: the same candidates before and after, and where the time went', async () => {
  const dataset = await openBeir(domain('code'));
  const stages = new Map<string, number>();
  const result = await benchmark(
    dataset,
    { retriever: new Bm25(), reranker: shortestFirst, candidates: 12 },
    { onProgress: ({ stage, completed }) => stages.set(stage, completed) },
  );
  expect(stages).toEqual(
    new Map([
      ['index', result.documents],
      ['retrieve', 18],
      ['rerank', 18],
    ]),
  );
  expect([...result.hits.keys()]).toEqual([...dataset.queries.keys()]);
  for (const [query, hits] of result.hits) {
    expect(hits.length).toBeLessThanOrEqual(12);
    expect([...result.before.get(query)!.keys()].sort()).toEqual([...result.after.get(query)!.keys()].sort());
    expect(result.after.get(query)!.get(hits[0]!.id)).toBe(hits[0]!.logit);
  }
  // The README of data/domains has 0.609 for BM25 with the same parameters.
  expect(evaluate(dataset.qrels, result.before, { measures: ['ndcg@10'] }).measures['ndcg@10']).toBeGreaterThan(0.58);
  expect(Object.keys(result.seconds)).toEqual(['index', 'retrieve', 'rerank']);
});

test("ignoreIdenticalIds takes the next best document for the query's own", async () => {
  const documents = ['q', 'a', 'b', 'c'].map((id) => ({ id, text: 'bread', title: '' }));
  const dataset = {
    folder: '',
    split: '',
    queries: new Map([['q', 'bread']]),
    qrels: new Map([['q', new Map([['a', 1]])]]),
    async *documents() {
      yield* documents;
    },
  };
  const candidates = async (ignoreIdenticalIds: boolean) => {
    const pipeline = { retriever: new Bm25(), reranker: shortestFirst, candidates: 2 };
    const { before } = await benchmark(dataset, pipeline, { ignoreIdenticalIds });
    return [...before.get('q')!.keys()].sort();
  };
  expect(await candidates(false)).toEqual(['a', 'q']);
  expect(await candidates(true)).toEqual(['a', 'b']);
});

test('a reranker that fails ends it, with its own error', async () => {
  let calls = 0;
  const rank = async () => {
    calls++;
    throw new Error('no more memory');
  };
  const dataset = await openBeir(domain('legal'));
  await expect(benchmark(dataset, { retriever: new Bm25(), reranker: { rank } }, { concurrency: 2 })).rejects.toThrow(
    'no more memory',
  );
  expect(calls).toBe(2);
});

test('an abort ends it', async () => {
  const dataset = await openBeir(domain('legal'));
  const pipeline = { retriever: new Bm25(), reranker: shortestFirst };
  await expect(benchmark(dataset, pipeline, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ABORTED',
  });
  await expect(benchmark(dataset, pipeline, { concurrency: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a query that fails is named, and the others are answered', async () => {
  const dataset = await openBeir(domain('legal'));
  const [first, second] = [...dataset.queries];
  const reranker: CandidateRanker = {
    async rank(query, ...rest) {
      if (query === second![1]) throw new ZrankError('QUERY_TOO_LONG', 'too long');
      return shortestFirst.rank(query, ...rest);
    },
  };
  const stages: string[] = [];
  const result = await benchmark(
    dataset,
    { retriever: new Bm25(), reranker },
    { onProgress: ({ stage, completed, total }) => completed === total && stages.push(stage) },
  );
  expect([...result.failed]).toEqual([[second![0], expect.objectContaining({ code: 'QUERY_TOO_LONG' })]]);
  expect([...result.hits.keys()]).toEqual([...dataset.queries.keys()].filter((id) => id !== second![0]));
  expect([result.before.has(second![0]), result.after.has(first![0])]).toEqual([false, true]);
  expect(stages).toEqual(['retrieve', 'rerank']);
});

test.each(['QUERY_TOO_LONG', 'CLOSED'] as const)(
  'where no query can be answered it ends with why: %s',
  async (code) => {
    const reranker: CandidateRanker = { rank: () => Promise.reject(new ZrankError(code, 'no')) };
    const work = benchmark(await openBeir(domain('legal')), { retriever: new Bm25(), reranker });
    await expect(work).rejects.toMatchObject({ code });
  },
);
