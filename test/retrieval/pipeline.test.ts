import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Bm25, type CorpusDocument, DenseRetriever, DocumentIndex, RetrieveAndRerank, VectorIndex } from 'zrank';
import { temporaryFolder } from '../support.js';
import { pets, shortestFirst, WordCounter } from './doubles.js';

const pipelineWith = (options = {}) =>
  new RetrieveAndRerank({ retriever: new Bm25(), reranker: shortestFirst, ...options });
const numbered = (count: number): CorpusDocument[] =>
  Array.from({ length: count }, (_, i) => ({ id: String(i), text: `word ${'x'.repeat(i)}` }));

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

describe('RetrieveAndRerank', () => {
  test('returns the rank and the score before and after', async () => {
    const pipeline = pipelineWith();
    expect(await pipeline.index(stream(pets))).toBe(4);
    const hits = await pipeline.search('cat');
    expect(hits).toEqual([
      {
        id: 'b',
        document: pets[1],
        retrievalRank: 2,
        retrievalScore: expect.any(Number),
        rank: 1,
        score: 1 / 24,
        logit: -23,
        truncated: false,
      },
      {
        id: 'a',
        document: pets[0],
        retrievalRank: 1,
        retrievalScore: expect.any(Number),
        rank: 2,
        score: 1 / 29,
        logit: -28,
        truncated: false,
      },
    ]);
    expect(hits[0]!.document).toBe(pets[1]);
  });

  test('candidates and topN limit the two halves', async () => {
    const pipeline = pipelineWith({ candidates: 3 });
    await pipeline.index(numbered(20));
    expect(await pipeline.search('word')).toHaveLength(3);
    expect(await pipeline.search('word', { candidates: 7 })).toHaveLength(7);
    expect((await pipeline.search('word', { candidates: 7, topN: 2 })).map(({ rank }) => rank)).toEqual([1, 2]);
    expect(await pipeline.search('nothing of this')).toEqual([]);
  });

  test('hands the reranker title and text, the instruction and the signal', async () => {
    const calls: unknown[] = [];
    const rank = async (...call: unknown[]) => {
      calls.push(call);
      return [];
    };
    const pipeline = pipelineWith({ reranker: { rank } });
    await pipeline.index(pets);
    const { signal } = new AbortController();
    await pipeline.search('dog', { instruction: 'about dogs', signal });
    expect(calls).toEqual([
      ['dog', ['Dog it is a dog', 'a dog barked at the cat'], { instruction: 'about dogs', signal }],
    ]);
  });

  test('indexes in batches and tells how far it is', async () => {
    const seen: number[] = [];
    const pipeline = pipelineWith();
    await pipeline.index(stream(numbered(10)), { batchSize: 4, onProgress: ({ indexed }) => seen.push(indexed) });
    expect(seen).toEqual([4, 8, 10]);
    await pipeline.remove(['3']);
    expect(pipeline.size).toBe(9);
  });

  test('a failure keeps the batches before it', async () => {
    const pipeline = pipelineWith();
    const documents = numbered(10);
    await expect(pipeline.index([...documents, documents[0]!], { batchSize: 4 })).rejects.toMatchObject({
      code: 'DUPLICATE_ID',
    });
    expect(pipeline.size).toBe(8);
    await pipeline.index(documents.slice(8));
    expect(await pipeline.search('word')).toHaveLength(10);
  });

  test('an abort ends the indexing', async () => {
    const controller = new AbortController();
    const pipeline = pipelineWith();
    const indexing = pipeline.index(stream(numbered(100)), {
      batchSize: 10,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(indexing).rejects.toMatchObject({ code: 'ABORTED' });
    expect(pipeline.size).toBe(10);
  });

  test('an index that was loaded is not filled again', async () => {
    const folder = await temporaryFolder();
    const encoder = new WordCounter();
    const built = new DenseRetriever({ encoder });
    await built.add(pets);
    await built.index.save(join(folder, 'pets.index'));
    encoder.kinds.length = 0;

    const retriever = new DenseRetriever({ encoder, index: await VectorIndex.load(join(folder, 'pets.index')) });
    await expect(pipelineWith({ retriever }).index(pets)).rejects.toMatchObject({ code: 'DUPLICATE_ID' });
    const pipeline = pipelineWith({ retriever });
    expect(await pipeline.index(pets, { known: 'keep' })).toBe(4);
    expect((await pipeline.search('fish', { candidates: 1 }))[0]!.document).toBe(pets[2]);
    expect(encoder.kinds).toEqual(['query']);
  });

  test('an empty corpus, and a search before there is one, say so', async () => {
    const pipeline = pipelineWith();
    await expect(pipeline.index([])).rejects.toMatchObject({ code: 'DATA_INVALID', message: 'the corpus is empty' });
    await expect(pipeline.search('cat')).rejects.toMatchObject({ code: 'DATA_INVALID' });
    await expect(pipeline.index([{ id: 'x' } as never])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(pipeline.index([{ text: 'x' } as never])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('a retriever that fails loses nothing', async () => {
    const broken = {
      size: 0,
      has: () => false,
      add: async () => Promise.reject(new Error('disk full')),
      remove: async () => {},
      search: async () => [],
    };
    const pipeline = pipelineWith({ retriever: broken });
    await expect(pipeline.index(pets)).rejects.toThrow('disk full');
    expect(pipeline.size).toBe(0);
  });

  test('a retriever that holds other documents is told of', async () => {
    const retriever = new Bm25();
    await retriever.add(pets);
    const index = new DocumentIndex(retriever);
    await index.index([{ id: 'z', text: 'nothing' }]);
    await expect(index.search('cat', 1)).rejects.toMatchObject({ code: 'UNKNOWN_ID' });
  });

  test.each([{ retriever: 1 }, { reranker: undefined }, { candidates: 0 }, { depth: 3 }])('refuses %o', (options) => {
    expect(() => pipelineWith(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test.each([{ topN: 0 }, { candidates: 1.5 }, { signal: 1 }, { instruction: 3 }, { top: 3 }])(
    'search refuses %o',
    async (options) => {
      const pipeline = pipelineWith();
      await pipeline.index(pets);
      await expect(pipeline.search('cat', options as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    },
  );
});
