// Very many short texts: chunks stay small, so that the event loop runs between them.

import { expect, test } from 'vitest';
import { Reranker, type Pair } from 'zrank';
import { chunkCharacters, chunksOf } from '../../dist/tokenization/pair-encoder.js';
import { expectCode, tinyModel, turnsDuring } from '../support.js';

test('chunks keep the order and count texts as well as characters', () => {
  expect([...chunksOf(['a'.repeat(300), 'b', 'c', 'd'], 300)]).toEqual([['a'.repeat(300)], ['b', 'c', 'd']]);
  const empty = Array.from({ length: 200_000 }, (): Pair => ['', '']);
  const sizes = [...chunksOf(empty, chunkCharacters)].map((chunk) => chunk.length);
  expect(Math.max(...sizes)).toBe(512);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(200_000);
});

test.each(['parse', 'text'] as const)(
  "the event loop runs on while 20,000 short documents are tokenized, specialTokens '%s'",
  async (specialTokens) => {
    await using reranker = await Reranker.load(tinyModel, { specialTokens });
    await reranker.predict([['warm', 'up']]);
    const pairs = Array.from({ length: 20_000 }, (_, i): Pair => ['bread', `short ${i}`]);
    // The empty prompt ends the call behind the tokenization.
    const turns = await turnsDuring(() => expectCode(reranker.predict([...pairs, '']), 'INVALID_ARGUMENT', /empty/));
    // A turn for each chunk of at most 512 texts, where one go would take a few.
    expect(turns).toBeGreaterThanOrEqual(20_000 / 512);
  },
);
