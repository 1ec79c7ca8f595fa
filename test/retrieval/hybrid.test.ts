import { expect, test } from 'vitest';
import { Bm25, DenseRetriever, HybridRetriever, reciprocalRankFusion, VectorIndex } from 'zrank';
import { pets, WordCounter } from './doubles.js';

const ranking = (...ids: string[]) => ids.map((id) => ({ id, score: 0 }));

test('reciprocal rank fusion sums 1 / (60 + rank)', () => {
  expect(reciprocalRankFusion([ranking('a', 'b'), ranking('b', 'c')])).toEqual([
    { id: 'b', score: 1 / 62 + 1 / 61 },
    { id: 'a', score: 1 / 61 },
    { id: 'c', score: 1 / 62 },
  ]);
  expect(reciprocalRankFusion([ranking('x'), ranking('y')], 1)).toEqual([
    { id: 'x', score: 0.5 },
    { id: 'y', score: 0.5 },
  ]);
});

test('finds what either retriever finds', async () => {
  const dense = new DenseRetriever({ encoder: new WordCounter() });
  const hybrid = new HybridRetriever({ retrievers: [new Bm25(), dense] });
  await hybrid.add(pets);
  expect(hybrid.size).toBe(4);
  const [first, ...rest] = await hybrid.search('swim fish', 4);
  expect(first).toEqual({ id: 'c', score: 2 / 61 });
  expect(rest).toHaveLength(3);
  await hybrid.remove(['c']);
  expect((await hybrid.search('fish', 4)).map(({ id }) => id)).not.toContain('c');
});

test('where one retriever refuses documents, none has them', async () => {
  const bm25 = new Bm25();
  const broken = new DenseRetriever({
    encoder: { dimensions: 3, encode: async (texts) => texts.map(() => new Float32Array(3).fill(NaN)) },
  });
  const hybrid = new HybridRetriever({ retrievers: [bm25, broken] });
  await expect(hybrid.add(pets)).rejects.toMatchObject({ code: 'DATA_INVALID' });
  expect([bm25.size, broken.size]).toEqual([0, 0]);
});

test('adds to each retriever what it lacks', async () => {
  const dense = new DenseRetriever({ encoder: new WordCounter() });
  await dense.add(pets.slice(0, 2));
  const bm25 = new Bm25();
  const hybrid = new HybridRetriever({ retrievers: [bm25, dense] });
  expect(hybrid.has('a')).toBe(false);
  await hybrid.add(pets);
  expect([bm25.size, dense.size, hybrid.has('a')]).toEqual([4, 4, true]);
  await expect(hybrid.add([pets[0]!])).rejects.toMatchObject({ code: 'DUPLICATE_ID' });
});

test('depth limits what is fused', async () => {
  const ranks: number[] = [];
  const spy = {
    size: 1,
    has: () => false,
    add: async () => {},
    remove: async () => {},
    search: async (_: string, k: number) => {
      ranks.push(k);
      return [];
    },
  };
  await new HybridRetriever({ retrievers: [spy] }).search('q', 5);
  await new HybridRetriever({ retrievers: [spy], depth: 7 }).search('q', 5);
  await new HybridRetriever({ retrievers: [spy], depth: 7 }).search('q', 9);
  expect(ranks).toEqual([100, 7, 9]);
});

test('the dense retriever tells the encoder queries from documents, refuses an index of another width', async () => {
  const encoder = new WordCounter();
  const dense = new DenseRetriever({ encoder });
  await dense.add(pets);
  expect(await dense.search('cat', 1)).toEqual([{ id: 'a', score: expect.closeTo(1, 6) }]);
  expect(encoder.kinds).toEqual(['document', 'query']);
  expect(() => new DenseRetriever({ encoder, index: new VectorIndex({ dimensions: 4 }) })).toThrow(/3 dimensions/);
});

test.each([{}, { retrievers: [] }, { retrievers: [new Bm25()], k: 0 }, { retrievers: [new Bm25()], depth: 0.5 }])(
  'refuses %o',
  (options) => {
    expect(() => new HybridRetriever(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  },
);
