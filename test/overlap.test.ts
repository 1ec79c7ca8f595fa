// Tokenizing beside computing: a call's first chunk runs while the others are tokenized. Real: the embedded model and
// its engine. A double: PromptEncoder.encode() where it waits or fails on purpose before it does what it does.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Reranker, type CallTiming } from 'zrank';
import { openAddon } from '../dist/libraries/open-addon.js';
import { chunkCharacters } from '../dist/tokenization/pair-encoder.js';
import { PromptEncoder } from '../dist/tokenization/prompt-encoder.js';
import { expectCode, tinyModel } from './support.js';

const query = 'how do I keep bread fresh';
/** Documents of about seven chunks. */
const documents = Array.from({ length: 700 }, (_, i) => `${i} ${'bread and butter '.repeat(1 + (i % 50))}`);
const characters = documents.reduce((sum, { length }) => sum + length + query.length + 128, 0);
const chunks = Math.ceil(characters / chunkCharacters);

let reranker: Reranker;
beforeEach(async () => {
  reranker = await Reranker.load(tinyModel, { workers: 1, threads: 1 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reranker.close();
});

/** Has the encoder call `before`, with the number of its chunk, and wait for it. */
function beforeChunks(before: (chunk: number) => void | Promise<void>) {
  const encode = PromptEncoder.prototype.encode;
  let count = 0;
  return vi.spyOn(PromptEncoder.prototype, 'encode').mockImplementation(async function (this: PromptEncoder, ...args) {
    await before(count++);
    return encode.apply(this, args);
  });
}

describe('a call of several chunks', () => {
  test('has scores of its first chunk before the second is tokenized, and goes on', { timeout: 20_000 }, async () => {
    const seen: number[] = [];
    let firstScores = () => {};
    const scored = new Promise<void>((resolve) => (firstScores = resolve));
    // Would wait for ever if the engine were given all at once.
    const encode = beforeChunks((chunk) => (chunk === 1 ? scored : undefined));
    const timings: CallTiming[] = [];
    const started = performance.now();
    const hits = await reranker.rank(query, documents, {
      onProgress({ completed, total }) {
        expect(total).toBe(documents.length);
        seen.push(completed);
        firstScores();
      },
      onTiming: (timing) => timings.push(timing),
    });
    const elapsed = performance.now() - started;
    expect(encode).toHaveBeenCalledTimes(chunks);
    expect(chunks).toBeGreaterThan(4);
    expect(hits).toHaveLength(documents.length);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(documents.length);
    const [{ tokenizeMs, queueMs, computeMs }] = timings as [CallTiming];
    expect(queueMs).toBe(0);
    for (const part of [tokenizeMs, computeMs]) expect(part).toBeGreaterThan(0);
    expect(tokenizeMs + computeMs).toBeLessThanOrEqual(elapsed);
    expect(reranker.stats()).toMatchObject({ waitingTokens: 0, callsInFlight: 0 });
  });

  test('gives each document the score that it has alone', async () => {
    const hits = await reranker.rank(query, documents);
    for (const { index, logit, tokens } of hits.filter(({ index }) => index % 70 === 0)) {
      const [alone] = await reranker.rank(query, [documents[index]!]);
      expect(tokens).toBe(alone!.tokens);
      expect(Math.abs(logit - alone!.logit)).toBeLessThan(2e-4);
    }
  });

  test('is one request: its blocks are submitted under one ticket, few of them', async () => {
    const append = vi.spyOn(openAddon(), 'append');
    await reranker.rank(query, documents);
    const tickets = new Set(append.mock.calls.map(([ticket]) => ticket));
    expect(tickets.size).toBe(1);
    // About 1, 1, 2, 4, ... chunks.
    const toCome = append.mock.calls.map(([, block]) => block.toCome);
    expect(toCome.length).toBeGreaterThan(1);
    expect(toCome.length).toBeLessThanOrEqual(Math.ceil(Math.log2(chunks)));
    expect(toCome.at(-1)).toBe(0);
    for (const times of toCome.slice(0, -1)) expect(times).toBeGreaterThan(0);
    append.mockClear();
    await reranker.rank(query, documents.slice(0, 10));
    expect(append).not.toHaveBeenCalled();
  });

  test('fails as a whole where a later chunk does, and leaves nothing behind', async () => {
    const seen: number[] = [];
    let firstScores = () => {};
    const scored = new Promise<void>((resolve) => (firstScores = resolve));
    beforeChunks((chunk) => (chunk === 1 ? scored : undefined));
    const last = 'bread '.repeat(600);
    const call = reranker.rank(query, [...documents, last], {
      maxLength: 512,
      truncation: 'error',
      onProgress: ({ completed }) => {
        seen.push(completed);
        firstScores();
      },
    });
    await expectCode(call, 'PROMPT_TOO_LONG');
    expect(seen.length).toBeGreaterThan(0);
    expect(reranker.stats()).toMatchObject({ waitingTokens: 0, callsInFlight: 0, callsFailed: 1 });
    expect(await reranker.rank(query, documents.slice(0, 3))).toHaveLength(3);
  });

  test('counts its tokens to the end: REQUEST_TOO_LARGE may come of the last chunk', async () => {
    const few = await reranker.rank(query, documents);
    const tokens = few.reduce((sum, hit) => sum + hit.tokens, 0);
    await using limited = await Reranker.load(tinyModel, { workers: 1, threads: 1, maxRequestTokens: tokens - 1 });
    await expectCode(
      limited.rank(query, documents),
      'REQUEST_TOO_LARGE',
      new RegExp(`maxRequestTokens = ${tokens - 1}`),
    );
    expect(limited.stats().waitingTokens).toBe(0);
    await using enough = await Reranker.load(tinyModel, { workers: 1, threads: 1, maxRequestTokens: tokens });
    expect(await enough.rank(query, documents)).toHaveLength(documents.length);
  });

  test('is aborted between two chunks, and tokenizes no more', async () => {
    const controller = new AbortController();
    const encode = beforeChunks((chunk) => {
      if (chunk === 2) controller.abort(new Error('enough'));
    });
    await expectCode(reranker.rank(query, documents, { signal: controller.signal }), 'ABORTED');
    expect(encode).toHaveBeenCalledTimes(3);
    expect(reranker.stats()).toMatchObject({ waitingTokens: 0, callsAborted: 1 });
    expect(await reranker.rank(query, documents.slice(0, 3))).toHaveLength(3);
  });

  test('ends where its listener throws, and tokenizes no further block', async () => {
    let firstScores = () => {};
    const scored = new Promise<void>((resolve) => (firstScores = resolve));
    const encode = beforeChunks((chunk) => (chunk === 1 ? scored : undefined));
    const call = reranker.rank(query, documents, {
      onProgress() {
        firstScores();
        throw new RangeError('no more');
      },
    });
    await expect(call).rejects.toThrow(RangeError);
    expect(encode.mock.calls.length).toBeLessThan(chunks - 1);
    expect(reranker.stats().waitingTokens).toBe(0);
  });

  test('holds room for what is not tokenized yet, and is not refused once it has begun', async () => {
    await using small = await Reranker.load(tinyModel, {
      workers: 1,
      threads: 1,
      maxQueueTokens: 40_000,
      maxRequestTokens: 1e6,
    });
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    let isHeld = () => {};
    const held = new Promise<void>((resolve) => (isHeld = resolve));
    beforeChunks((chunk) => {
      if (chunk !== 1) return;
      isHeld();
      return gate;
    });
    const first = small.rank(query, documents);
    try {
      await held;
      expect(small.stats().waitingTokens).toBeGreaterThan(40_000);
      await expectCode(small.rank(query, documents.slice(0, 100)), 'QUEUE_FULL');
    } finally {
      open();
    }
    expect(await first).toHaveLength(documents.length);
    expect(small.stats()).toMatchObject({ waitingTokens: 0, callsRefused: 1, callsDone: 1 });
  });
});
