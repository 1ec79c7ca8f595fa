// What a server asks of a reranker: limits, deadlines, draining, and what there is to show. Real: the embedded model.

import { describe, expect, test } from 'vitest';
import { Reranker, ZrankError, type CallTiming } from 'zrank';
import { expectCode, tinyModel, turnsDuring } from './support.js';

const query = 'how do I keep bread fresh';
const many = (count: number) => Array.from({ length: count }, (_, i) => `${'bread and butter '.repeat(10)}${i}`);

describe('limits', () => {
  test('20,000 documents are refused in the same turn of the event loop', async () => {
    await using reranker = await Reranker.load(tinyModel, { maxDocuments: 10_000, workers: 1 });
    const documents = many(20_000);
    const refused = () => expectCode(reranker.rank(query, documents), 'REQUEST_TOO_LARGE', /20000 documents.*10000/);
    expect(await turnsDuring(refused)).toBeLessThanOrEqual(1);
    expect(await reranker.rank(query, documents.slice(0, 2))).toHaveLength(2);
  });

  test('too many tokens are refused by the length of the texts, or as they are counted', async () => {
    await using reranker = await Reranker.load(tinyModel, { maxRequestTokens: 100, workers: 1 });
    await expectCode(reranker.rank(query, many(20)), 'REQUEST_TOO_LARGE', /maxRequestTokens = 100/);
    // 12 characters, many tokens.
    await expectCode(
      reranker.rank(query, Array(9).fill('!?!?!?!?!?!?')),
      'REQUEST_TOO_LARGE',
      /maxRequestTokens = 100/,
    );
    expect(await reranker.rank(query, ['bread'])).toHaveLength(1);
    expect(reranker.stats().waitingTokens).toBe(0);
  });

  test('an empty queue does not take more than maxQueueTokens either', async () => {
    await using reranker = await Reranker.load(tinyModel, { maxQueueTokens: 1000, workers: 1 });
    await expectCode(reranker.rank(query, many(300)), 'REQUEST_TOO_LARGE', /maxRequestTokens = 1000/);
  });

  test('a document counts as the tokens that maxLength leaves of it', async () => {
    await using reranker = await Reranker.load(tinyModel, { maxRequestTokens: 200, maxLength: 64, workers: 1 });
    expect(await reranker.rank(query, ['bread '.repeat(5000)])).toMatchObject([{ tokens: 64, truncated: true }]);
  });

  test('maxDocumentTokens cuts the document, whatever the query', async () => {
    await using reranker = await Reranker.load(tinyModel, { workers: 1 });
    const [frame] = await reranker.rank(query, ['']);
    const [cut] = await reranker.rank(query, ['bread '.repeat(500)], { maxDocumentTokens: 7 });
    expect(cut).toMatchObject({ tokens: frame!.tokens + 7, truncated: true });
    const [whole] = await reranker.rank(query, ['bread'], { maxDocumentTokens: 7 });
    expect(whole!.truncated).toBe(false);
    await expectCode(
      reranker.rank(query, ['bread '.repeat(500)], { maxDocumentTokens: 7, truncation: 'error' }),
      'PROMPT_TOO_LONG',
    );
  });
});

describe('the end of a call', () => {
  test('a deadline is TIMEOUT, a signal ABORTED', async () => {
    await using reranker = await Reranker.load(tinyModel, { workers: 1 });
    const late = reranker.rank(query, many(3000), { timeoutMs: 20 });
    await expectCode(late, 'TIMEOUT', /20 ms/);
    await expectCode(
      late.catch((error) => Promise.reject(error)),
      'TIMEOUT',
    );
    const gone = reranker.rank(query, many(3000), { timeoutMs: 60_000, signal: AbortSignal.timeout(20) });
    await expectCode(gone, 'ABORTED');
    await expectCode(reranker.rank(query, many(1), { timeoutMs: 2 ** 31 }), 'INVALID_ARGUMENT');
    expect(await reranker.rank(query, many(2), { timeoutMs: 60_000 })).toHaveLength(2);
    expect(reranker.stats()).toMatchObject({ callsTimedOut: 1, callsAborted: 1, callsDone: 1, callsInFlight: 0 });
  });

  test('errors tell their status, and QUEUE_FULL when to come again', async () => {
    await using reranker = await Reranker.load(tinyModel, { maxQueueTokens: 20_000, workers: 1 });
    await reranker.rank(query, many(50));
    const calls = await Promise.allSettled(Array.from({ length: 8 }, () => reranker.rank(query, many(300))));
    const refused = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason as ZrankError] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'QUEUE_FULL', status: 429 });
      expect(error.retryAfterMs).toBeGreaterThan(49);
      expect(error.retryAfterMs).toBeLessThanOrEqual(60_000);
    }
    expect(reranker.stats().callsRefused).toBe(refused.length);
    expect(new ZrankError('TIMEOUT', '').status).toBe(504);
    expect(new ZrankError('INTERNAL', '')).toMatchObject({ status: 500, retryAfterMs: undefined });
  });

  test('the queue counts calls that are being tokenized', async () => {
    await using reranker = await Reranker.load(tinyModel, { maxQueueTokens: 8_000, maxRequestTokens: 1e6, workers: 1 });
    const first = reranker.rank(query, many(300));
    expect(reranker.stats()).toMatchObject({ callsInFlight: 1 });
    expect(reranker.stats().waitingTokens).toBeGreaterThan(4000);
    const refused = () => expectCode(reranker.rank(query, many(300)), 'QUEUE_FULL');
    expect(await turnsDuring(refused)).toBeLessThanOrEqual(2);
    await first;
    expect(reranker.stats()).toMatchObject({ callsInFlight: 0, waitingTokens: 0 });
  });

  test('drain() refuses new calls and waits for those in flight', async () => {
    await using reranker = await Reranker.load(tinyModel, { workers: 1 });
    const inFlight = reranker.rank(query, many(100));
    const drained = reranker.drain();
    await expectCode(reranker.rank(query, ['a']), 'CLOSED', /no more calls/);
    await drained;
    expect(reranker.stats()).toMatchObject({ callsInFlight: 0, callsDone: 1 });
    expect(await inFlight).toHaveLength(100);
  });
});

test('timings of a call add up to it, and fill the histograms', async () => {
  await using reranker = await Reranker.load(tinyModel, { workers: 1, threads: 1 });
  const timings: CallTiming[] = [];
  const started = performance.now();
  // The second waits for the first one's batches.
  await Promise.all([1, 2].map(() => reranker.rank(query, many(150), { onTiming: (timing) => timings.push(timing) })));
  const elapsed = performance.now() - started;
  expect(timings).toHaveLength(2);
  for (const { tokenizeMs, queueMs, computeMs } of timings) {
    for (const part of [tokenizeMs, computeMs]) expect(part).toBeGreaterThan(0);
    expect(queueMs).toBeGreaterThanOrEqual(0);
    expect(tokenizeMs + queueMs + computeMs).toBeLessThanOrEqual(elapsed);
  }
  const { waiting, computing } = reranker.stats();
  expect([waiting.count, computing.count]).toEqual([2, 2]);
  expect(computing.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  expect(computing.sum).toBeCloseTo(timings.reduce((sum, { computeMs }) => sum + computeMs, 0) / 1000, 6);
  expect(computing.bounds.at(-1)).toBe(Infinity);
});
