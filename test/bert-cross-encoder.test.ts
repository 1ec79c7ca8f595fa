// Real: the addon, ONNX Runtime, and a BERT classifier of 2 layers of 32 with random weights; expected.json is what
// sentence-transformers' CrossEncoder computes with it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HfTokenizer, type TruncationStrategy } from 'tokenizers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { SequenceEncoder } from '../dist/tokenization/sequence-encoder.js';
import { Tokenizer } from '../dist/tokenization/tokenizer.js';
import { changed, expectedOf, expectRows, fixture, tinyGraph } from './encoder-folders.js';

interface Expected {
  pairs: [string, string][];
  logits: number[];
  scores: number[];
  truncated: { pair: [string, string]; logit: number };
}

let expected: Expected;
let reranker: Reranker;
beforeAll(async () => {
  expected = await expectedOf('cross-encoder');
  reranker = await Reranker.load(fixture('cross-encoder'));
});
afterAll(() => reranker.close());

describe('a BERT cross-encoder', () => {
  test('predicts the logits of sentence-transformers', async () => {
    expectRows([await reranker.predict(expected.pairs)], [expected.logits]);
  });

  test('ranks by them; the score is their sigmoid', async () => {
    const query = expected.pairs[0]![0];
    const documents = expected.pairs.filter(([q]) => q === query).map(([, document]) => document);
    const hits = await reranker.rank(query, documents);
    expect(hits).toHaveLength(documents.length);
    for (const hit of hits) expect(hit.score).toBeCloseTo(expected.scores[hit.index]!, 5);
    expect(hits.map((hit) => hit.score)).toEqual(hits.map((hit) => hit.score).sort((a, b) => b - a));
  });

  test('cuts the longer of query and document, as the tokenizers library does', async () => {
    const json = await readFile(join(fixture('cross-encoder'), 'tokenizer.json'), 'utf8');
    const library = HfTokenizer.fromString(json);
    const encoder = new SequenceEncoder(new Tokenizer(json));
    const words = [...'list of a list of a list of'.split(' ')];
    for (let maxLength = 4; maxLength < 20; maxLength++) {
      library.setTruncation(maxLength, { strategy: 'LongestFirst' as TruncationStrategy });
      for (let i = 0; i < 64; i++) {
        const pair = [words.slice(i >> 3).join(' '), words.slice(i & 7).join(' ')] as const;
        const [encoded] = await encoder.encode([pair], { maxLength, truncation: 'document', specialTokens: 'parse' });
        const expected = await library.encode(pair[0], pair[1]);
        expect(encoded).toMatchObject({ ids: expected.getIds(), typeIds: expected.getTypeIds() });
      }
    }
  });

  test('scores a query that is too long', async () => {
    const [hit] = await reranker.rank('list '.repeat(100), ['a list']);
    expect(hit).toMatchObject({ truncated: true, tokens: 48 });
    expectRows([[hit!.logit]], [await reranker.predict([['list '.repeat(43), 'a list']])]);
  });

  test('cuts the document alone where the query takes less than half', async () => {
    const { pair, logit } = expected.truncated;
    expect(reranker.maxLength).toBe(48);
    expectRows([await reranker.predict([pair])], [[logit]]);
    const [hit] = await reranker.rank(pair[0], [pair[1]]);
    expect(hit).toMatchObject({ truncated: true, tokens: 48 });
    await expect(reranker.predict([pair], { truncation: 'error' })).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
    await expect(reranker.predict([pair], { maxLength: 2 })).rejects.toMatchObject({ code: 'QUERY_TOO_LONG' });
    await expect(reranker.predict([pair], { maxLength: 49 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('scores batched as alone, whatever the batch', async () => {
    for (const maxBatchTokens of [1, 100, 100_000]) {
      await using batching = await Reranker.load(fixture('cross-encoder'), { maxBatchTokens, workers: 2 });
      expectRows([await batching.predict(expected.pairs)], [expected.logits]);
    }
  });

  test('pads batches by length, within the token limit', async () => {
    await using batching = await Reranker.load(fixture('cross-encoder'), {
      maxBatchTokens: 60,
      workers: 1,
      threads: 1,
    });
    await batching.predict([
      ['list', 'list of a list'],
      ['list', ''],
      ['list', 'list of a list'],
      ['list', ''],
    ]);
    const { batches, tokens, paddedTokens } = batching.counters();
    expect(batches).toBe(1);
    expect(paddedTokens).toBe(32);
    expect(tokens).toBe(2 * 8 + 2 * 4);
  });

  test('keeps special tokens as text where asked', async () => {
    const [parsed, text, spelled] = await Promise.all([
      reranker.predict([['list', 'a [SEP] b']]),
      reranker.predict([['list', 'a [SEP] b']], { specialTokens: 'text' }),
      reranker.predict([['list', 'a [ SEP ] b']]),
    ]);
    expect(parsed).not.toEqual(text);
    expectRows([text], [spelled]);
  });

  test('takes no instruction', async () => {
    await expect(reranker.predict(expected.pairs, { instruction: 'be brief' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expectRows([await reranker.predict(expected.pairs, { instruction: ' ' })], [expected.logits]);
  });

  test.each<[string, Record<string, object | undefined>, string]>([
    ['without an ONNX file', { onnx: undefined }, 'FILE_NOT_FOUND'],
    [
      'of two labels',
      { 'config.json': { architectures: ['BertForSequenceClassification'], id2label: { 0: 'a', 1: 'b' } } },
      'ARCHITECTURE_UNSUPPORTED',
    ],
    ['of another kind', { 'config.json': { architectures: ['BertForMaskedLM'] } }, 'ARCHITECTURE_UNSUPPORTED'],
    ['whose graph gives token embeddings', { 'onnx/model.onnx': tinyGraph('last_hidden_state') }, 'SESSION_FAILED'],
  ])('%s is refused', async (_, files, code) => {
    await expect(Reranker.load(await changed('cross-encoder', files))).rejects.toMatchObject({
      name: 'ZrankError',
      code,
    });
  });
});
