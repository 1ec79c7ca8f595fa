// The public face on the embedded model. Real: everything.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reranker, toProbability, type LoadOptions, type Pair, type RankOptions } from 'zrank';
import { splitThreads } from '../dist/runtime/engine.js';
import { copyOfGolden, expectCode, golden, tinyModel, turnsDuring } from './support.js';

const query = 'how do I keep bread fresh';
const documents = [
  'The parliament debates a new tax on sugar.',
  'Keep bread fresh in a paper bag or a bread box; freeze what you will not eat within two days.',
  'Fresh paint needs two days to dry.',
  'Bread is baked from flour, water, salt and yeast.',
];

describe('a reranker', () => {
  let reranker: Reranker;
  beforeAll(async () => {
    reranker = await Reranker.load(tinyModel);
  });
  afterAll(() => reranker.close());

  test('ranks documents, best first', async () => {
    const hits = await reranker.rank(query, documents);
    expect(hits.map((hit) => hit.index).sort()).toEqual([0, 1, 2, 3]);
    expect(hits[0]!.index).toBe(1);
    for (let i = 1; i < hits.length; i++) expect(hits[i - 1]!.logit).toBeGreaterThanOrEqual(hits[i]!.logit);
    for (const hit of hits) {
      expect(Object.keys(hit)).toEqual(['index', 'score', 'logit', 'tokens', 'truncated']);
      expect(hit.score).toBeCloseTo(1 / (1 + Math.exp(-hit.logit / 5)), 12);
      expect(hit.truncated).toBe(false);
    }
  });

  test('predict gives raw logits in input order', async () => {
    const hits = await reranker.rank(query, documents);
    const logits = await reranker.predict(documents.map((document): Pair => [query, document]));
    expect(logits).toBeInstanceOf(Float32Array);
    for (const hit of hits) expect(logits[hit.index]).toBeCloseTo(hit.logit, 4);
  });

  test('topN and returnDocuments', async () => {
    const hits = await reranker.rank(query, documents, { topN: 2, returnDocuments: true });
    expect(hits.map((hit) => hit.document)).toEqual(hits.map((hit) => documents[hit.index]));
    expect(hits).toHaveLength(2);
    expect(await reranker.rank(query, documents, { topN: 99 })).toHaveLength(4);
  });

  test('documents may be objects with text, and come back as they are', async () => {
    const objects = documents.map((text, id) => ({ text, id }));
    const list = [...objects];
    const call = reranker.rank(query, list, { returnDocuments: true });
    list.length = 0;
    const [best] = await call;
    expect(best!.document).toBe(objects[1]);
  });

  test('equal documents keep their order', async () => {
    const hits = await reranker.rank(query, ['same', 'same', documents[1]!, 'same']);
    expect(hits.map((hit) => hit.index)).toEqual([2, 0, 1, 3]);
    expect(new Set(hits.slice(1).map((hit) => hit.logit)).size).toBe(1);
  });

  test('empty lists give empty lists, empty texts give scores', async () => {
    expect(await reranker.rank(query, [])).toEqual([]);
    expect(await reranker.predict([])).toEqual(new Float32Array(0));
    const logits = await reranker.predict([
      [query, ''],
      ['', documents[0]!],
      ['', ''],
    ]);
    expect([...logits].every(Number.isFinite)).toBe(true);
  });

  test('a lone surrogate is read as U+FFFD, a NUL is a character', async () => {
    const [lone, replaced] = await reranker.predict([
      [query, 'bread \ud800 fresh'],
      [query, 'bread \ufffd fresh'],
    ]);
    expect(lone).toBe(replaced);
    const hits = await reranker.rank(query, ['bread\0 fresh', 'bread']);
    expect(hits.every((hit) => Number.isFinite(hit.score))).toBe(true);
    expect(Math.max(...hits.map((hit) => hit.tokens))).toBeGreaterThan(Math.min(...hits.map((hit) => hit.tokens)));
  });

  test('a document of 100,000 characters is cut and said so', async () => {
    const [hit] = await reranker.rank(query, ['fresh bread '.repeat(8_334)], { maxLength: 512 });
    expect(hit).toMatchObject({ tokens: 512, truncated: true });
    const [tight] = await reranker.rank(query, ['x'.repeat(100_000)], { maxLength: 64 });
    expect(Number.isFinite(tight!.logit)).toBe(true);
  });

  test('progress ends at the total', async () => {
    const seen: { completed: number; total: number }[] = [];
    const many = Array.from({ length: 40 }, (_, i) => `${documents[i % 4]} ${i}`);
    await using small = await Reranker.load(tinyModel, { maxBatchTokens: 64 });
    await small.rank(query, many, { onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.at(-1)).toEqual({ completed: 40, total: 40 });
    expect(seen.map((progress) => progress.completed)).toEqual(
      seen.map((progress) => progress.completed).sort((a, b) => a - b),
    );
  });

  test('many calls at once', async () => {
    const alone = await reranker.predict(documents.map((document): Pair => [query, document]));
    const calls = await Promise.all(
      Array.from({ length: 50 }, (_, i) => reranker.predict([[query, documents[i % 4]!]])),
    );
    calls.forEach((logits, i) => expect(logits[0]).toBeCloseTo(alone[i % 4]!, 4));
  });

  test('an aborted call rejects with ABORTED and the reason', async () => {
    const reason = new Error('enough');
    const before = AbortSignal.abort(reason);
    const error = await reranker.rank(query, documents, { signal: before }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'ABORTED', cause: reason });

    const controller = new AbortController();
    const many = Array.from({ length: 2000 }, (_, i) => `${'bread and butter '.repeat(20)}${i}`);
    const call = reranker.rank(query, many, { signal: controller.signal, onProgress: () => controller.abort(reason) });
    await expectCode(call, 'ABORTED');
    expect(await reranker.rank(query, documents)).toHaveLength(4);
  });

  const wrongCalls: [what: string, call: () => Promise<unknown>][] = [
    ['a query that is no string', () => reranker.rank(3 as never, documents)],
    ['documents that are no array', () => reranker.rank(query, 'text' as never)],
    ['a document that is a number', () => reranker.rank(query, [3 as never])],
    ['a document that is null', () => reranker.rank(query, [null as never])],
    ['a document without text', () => reranker.rank(query, [{} as never])],
    ['pairs that are no array', () => reranker.predict('text' as never)],
    ['a pair of three', () => reranker.predict([['a', 'b', 'c'] as never])],
    ['a pair with a number', () => reranker.predict([['a', 1] as never])],
    ['an empty prompt', () => reranker.predict([''])],
    ['options that are no object', () => reranker.rank(query, documents, 3 as never)],
    ['null for options', () => reranker.rank(query, documents, null as never)],
  ];
  test.each(wrongCalls)('refuses %s', (_, call) => expectCode(call(), 'INVALID_ARGUMENT'));

  const wrongOptions: [option: keyof RankOptions, value: unknown][] = [
    ['topN', 0],
    ['topN', 1.5],
    ['returnDocuments', 'yes'],
    ['priority', 'urgent'],
    ['instruction', 3],
    ['maxLength', -1],
    ['maxLength', 1_000_000],
    ['truncation', 'left'],
    ['specialTokens', 'escape'],
    ['signal', {}],
    ['onProgress', 'f'],
  ];
  test.each(wrongOptions)('refuses %s = %s', (option, value) =>
    expectCode(reranker.rank(query, documents, { [option]: value }), 'INVALID_ARGUMENT', new RegExp(option)),
  );

  test('names a misspelt option', () =>
    expectCode(reranker.rank(query, documents, { topn: 3 } as never), 'INVALID_ARGUMENT', /"topn".*topN/));
});

const wrongLoads: [option: keyof LoadOptions, value: unknown][] = [
  ['device', 'gpu'],
  ['precision', 'fp64'],
  ['temperature', 0],
  ['workers', 0],
  ['threads', 'all'],
  ['maxBatchTokens', 0.5],
  ['maxQueueTokens', -1],
  ['maxDocuments', 0],
  ['maxRequestTokens', 1.5],
  ['maxLength', 0],
  ['truncation', true],
  ['specialTokens', ''],
  ['profilePrefix', true],
];
test.each(wrongLoads)('load refuses %s = %s', (option, value) =>
  expectCode(Reranker.load(tinyModel, { [option]: value }), 'INVALID_ARGUMENT', new RegExp(option)),
);
test('load refuses a folder that is no string', () =>
  expectCode(Reranker.load(undefined as never), 'INVALID_ARGUMENT'));
test('load refuses a maxLength beyond the positions', () =>
  expectCode(Reranker.load(golden('causal-deep').folder, { maxLength: 513 }), 'INVALID_ARGUMENT'));

test('the options of load are the defaults of a call', async () => {
  await using short = await Reranker.load(tinyModel, { maxLength: 30, temperature: 1 });
  const [hit] = await short.rank('q', [documents[1]!.repeat(5)]);
  expect(hit).toMatchObject({ tokens: 30, truncated: true, score: toProbability(hit!.logit, 1) });
  await using strict = await Reranker.load(tinyModel, { maxLength: 30, truncation: 'error' });
  await expectCode(strict.rank('q', [documents[1]!.repeat(5)]), 'PROMPT_TOO_LONG');
  expect(await strict.rank('q', [documents[1]!.repeat(5)], { truncation: 'document' })).toHaveLength(1);
  await expectCode(strict.rank('bread '.repeat(40), ['d'], { truncation: 'document' }), 'QUERY_TOO_LONG');
});

test('a small call does not wait for the whole of a large one', async () => {
  await using reranker = await Reranker.load(tinyModel, { workers: 1, threads: 1, maxBatchTokens: 256 });
  const many = Array.from({ length: 600 }, (_, i) => `${'bread and butter '.repeat(5)}${i}`);
  let completed = 0;
  let small: Promise<number> | undefined;
  const onProgress = (progress: { completed: number }) => {
    completed = progress.completed;
    // Scored by how many of the others were by then.
    small ??= reranker.rank('sugar', documents).then(() => completed);
  };
  await reranker.rank(query, many, { onProgress });
  expect(await small).toBeLessThan(300);
});

test('priority is a share: a call of high priority is through before one of low priority that came first', async () => {
  await using reranker = await Reranker.load(tinyModel, { workers: 1, threads: 1, maxBatchTokens: 256 });
  const many = Array.from({ length: 200 }, (_, i) => `${'bread and butter '.repeat(5)}${i}`);
  const order: string[] = [];
  const call = (priority: 'low' | 'high') =>
    reranker.rank(priority, many, { priority }).then(() => order.push(priority));
  await Promise.all([call('low'), call('high')]);
  expect(order).toEqual(['high', 'low']);
});

test('a full queue refuses at once and goes on', async () => {
  await using reranker = await Reranker.load(tinyModel, { maxQueueTokens: 1_500, maxRequestTokens: 1e6, workers: 1 });
  const many = Array.from({ length: 300 }, (_, i) => `${'bread and butter '.repeat(10)}${i}`);
  const calls = await Promise.allSettled([1, 2, 3, 4].map(() => reranker.rank(query, many)));
  const refused = calls.filter((result) => result.status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'QUEUE_FULL' });
  const answered = calls.filter((result) => result.status === 'fulfilled');
  expect(answered.length).toBeGreaterThan(0);
  for (const { value } of answered) expect(value).toHaveLength(300);
  expect(await reranker.rank(query, documents)).toHaveLength(4);
});

test('a full queue is found out before anything is tokenized', async () => {
  await using reranker = await Reranker.load(tinyModel, { maxQueueTokens: 1_500, maxRequestTokens: 1e6, workers: 1 });
  const many = Array.from({ length: 300 }, (_, i) => `${'bread and butter '.repeat(10)}${i}`);
  const first = reranker.rank(query, many);
  // Two turns of the event loop, while the first call's three hundred documents are not all tokenized.
  const second = () => expectCode(reranker.rank(query, many), 'QUEUE_FULL', /about \d+ tokens wait already/);
  expect(await turnsDuring(second)).toBeLessThanOrEqual(2);
  expect(await first).toHaveLength(300);
});

test('a closed reranker says so, and close() may be called again', async () => {
  const reranker = await Reranker.load(tinyModel);
  const inFlight = reranker.rank(query, documents);
  const closing = reranker.close();
  expect(reranker.close()).toBe(closing);
  await expectCode(reranker.rank(query, documents), 'CLOSED');
  await expectCode(reranker.predict([]), 'CLOSED');
  await expectCode(() => reranker.counters(), 'CLOSED');
  expect(await inFlight).toHaveLength(4);
  await closing;
});

test('loading twice shares one engine', async () => {
  await using a = await Reranker.load(tinyModel);
  await using b = await Reranker.load(tinyModel);
  const before = a.counters().sequences;
  await b.rank(query, documents);
  expect(a.counters().sequences).toBe(before + 4);
});

test.each([
  { workers: 1, threads: 1 },
  { workers: 1, threads: 2 },
  { workers: 3, threads: 3 },
  { workers: 2, threads: 4 },
])('workers = $workers, threads = $threads give the same scores', async (split) => {
  const data = golden('causal-bf16');
  await using reranker = await Reranker.load(data.folder, { ...split, precision: 'fp32' });
  const cases = data.cases.filter((entry) => entry.instruction === undefined);
  const logits = await reranker.predict(cases.map((entry): Pair => [entry.query, entry.document]));
  cases.forEach((entry, i) => expect(Math.abs(logits[i]! - entry.logit_fp32)).toBeLessThan(2e-4));
});

test('workers and threads that are not given', () => {
  expect(splitThreads({}, 8)).toEqual({ workers: 8, threads: 8 });
  expect(splitThreads({ threads: 2 }, 8)).toEqual({ workers: 2, threads: 2 });
  expect(splitThreads({ threads: 16 }, 8)).toEqual({ workers: 8, threads: 16 });
  expect(splitThreads({ workers: 2 }, 8)).toEqual({ workers: 2, threads: 8 });
  expect(splitThreads({ workers: 4, threads: 2 }, 8)).toEqual({ workers: 4, threads: 4 });
});

test('the event loop runs on during a long call', async () => {
  await using reranker = await Reranker.load(tinyModel);
  const many = Array.from({ length: 1500 }, (_, i) => `${'bread and butter '.repeat(40)}${i}`);
  expect(await turnsDuring(() => reranker.rank(query, many))).toBeGreaterThan(100);
});

test('toProbability', () => {
  expect(toProbability(0)).toBe(0.5);
  expect(toProbability(5)).toBeCloseTo(1 / (1 + Math.exp(-1)), 15);
  expect(toProbability(3, 1)).toBeCloseTo(1 / (1 + Math.exp(-3)), 15);
  expect(toProbability(-10_000)).toBe(0);
});

test('a token that the network has no row for fails its own call, and nobody who shares the batch', async () => {
  const folder = await copyOfGolden('llama-seqcls');
  const path = join(folder, 'tokenizer.json');
  const json = JSON.parse(await readFile(path, 'utf8')) as { added_tokens: object[] };
  const added = { id: 1536, content: '<|row|>', special: true, single_word: false, lstrip: false, rstrip: false };
  json.added_tokens.push({ ...added, normalized: false });
  await writeFile(path, JSON.stringify(json));
  await using reranker = await Reranker.load(folder, { workers: 1, threads: 1 });
  const rank = (text: string) => reranker.rank('q', [text, 'other']);
  const [before, bad, after] = [rank('a'), rank('b <|row|>'), rank('c')];
  await expectCode(bad, 'TOKENIZER_INVALID', /"<\|row\|>" of id 1536, .* has 1536 rows/);
  expect(await before).toHaveLength(2);
  expect(await after).toHaveLength(2);
});
