// Every checkpoint of test/goldens against the ids and fp32 logits of Hugging Face. Real: everything.

import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reranker, type Pair } from 'zrank';
import { readCheckpoint } from '../dist/networks/decoder/checkpoint.js';
import { pairEncoder } from '../dist/networks/decoder/reranker.js';
import { PromptTemplate } from '../dist/prompt/prompt-template.js';
import {
  copyOfGolden,
  expectCode,
  golden,
  goldenNames,
  temporaryFolder,
  type Golden,
  type GoldenCase,
} from './support.js';

/** README.md of the goldens: what an fp32 implementation should reach. */
const tolerance = 2e-4;
const batchedTolerance = 5e-5;
const exact = { device: 'cpu', precision: 'fp32' } as const;

const pairOf = (data: Golden, entry: GoldenCase): Pair =>
  data.instruction_form === 'ready' ? entry.prompt : [entry.query, entry.document];
const instructionOf = (data: Golden, entry: GoldenCase) =>
  data.instruction_form === 'ready' || entry.instruction === undefined ? {} : { instruction: entry.instruction };

function expectClose(actual: Float32Array, expected: number[], limit: number, names: string[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(Math.abs(actual[i]! - value), names[i]).toBeLessThanOrEqual(limit));
}

/** A seeded shuffle (Fisher-Yates with a linear congruential generator). */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed;
  for (let i = result.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

describe.each(goldenNames)('%s', (name) => {
  const data = golden(name);
  let reranker: Reranker;
  beforeAll(async () => {
    reranker = await Reranker.load(data.folder, exact);
  });
  afterAll(() => reranker.close());

  test('prompts and token ids are equal', async () => {
    const checkpoint = await readCheckpoint(data.folder);
    const template = PromptTemplate.load(checkpoint.template);
    const encoder = pairEncoder(checkpoint);
    const encode = async (pair: Pair, maxLength: number, instruction?: string) =>
      (await encoder.encode([pair], { instruction, maxLength, truncation: 'document', specialTokens: 'parse' }))[0]!;
    for (const entry of data.cases) {
      const { instruction } = instructionOf(data, entry) as { instruction?: string };
      if (template) expect(template.render(entry.query, entry.document, instruction), entry.name).toBe(entry.prompt);
      expect((await encode(pairOf(data, entry), checkpoint.maxLength, instruction)).ids, entry.name).toEqual(
        entry.token_ids,
      );
    }
    for (const entry of data.pairs ?? []) {
      expect((await encode([entry.text, entry.text_pair], checkpoint.maxLength)).ids).toEqual(entry.token_ids);
    }
    for (const entry of data.raw ?? [])
      expect((await encode(entry.prompt, checkpoint.maxLength)).ids).toEqual(entry.token_ids);
  });

  test('every pair alone', async () => {
    for (const entry of data.cases) {
      const logits = await reranker.predict([pairOf(data, entry)], instructionOf(data, entry));
      expectClose(logits, [entry.logit_fp32], tolerance, [entry.name]);
    }
    for (const entry of data.pairs ?? []) {
      expectClose(await reranker.predict([[entry.text, entry.text_pair]]), [entry.logit_fp32], tolerance, [entry.text]);
    }
    for (const entry of data.raw ?? [])
      expectClose(await reranker.predict([entry.prompt]), [entry.logit_fp32], tolerance, [entry.name]);
  });

  test('all together, shuffled, and in small batches, equal alone', async () => {
    const plain = data.cases.filter((entry) => Object.keys(instructionOf(data, entry)).length === 0);
    const alone = new Map<string, number>();
    for (const entry of plain) alone.set(entry.name, (await reranker.predict([pairOf(data, entry)]))[0]!);
    await using small = await Reranker.load(data.folder, { ...exact, maxBatchTokens: 150 });
    for (const [engine, seed] of [
      [reranker, 0],
      [reranker, 1],
      [reranker, 2],
      [small, 3],
      [small, 4],
    ] as const) {
      const entries = seed ? shuffled(plain, seed) : plain;
      const logits = await engine.predict(entries.map((entry) => pairOf(data, entry)));
      const names = entries.map((entry) => entry.name);
      expectClose(
        logits,
        entries.map((entry) => entry.logit_fp32),
        tolerance,
        names,
      );
      expectClose(
        logits,
        entries.map((entry) => alone.get(entry.name)!),
        batchedTolerance,
        names,
      );
    }
  });

  test('concurrent calls with different instructions share batches and do not mix', async () => {
    const all = await Promise.all(
      data.cases.map((entry) => reranker.predict([pairOf(data, entry)], instructionOf(data, entry))),
    );
    expectClose(
      Float32Array.from(all, (logits) => logits[0]!),
      data.cases.map((entry) => entry.logit_fp32),
      tolerance,
      data.cases.map((entry) => entry.name),
    );
  });

  test('documents are cut as sentence-transformers cuts them', async () => {
    const checkpoint = await readCheckpoint(data.folder);
    const encoder = pairEncoder(checkpoint);
    for (const entry of data.truncation ?? []) {
      const frame = await encoder.encode([[entry.query, '']], {
        maxLength: Infinity,
        truncation: 'error',
        specialTokens: 'parse',
      });
      const cut = reranker.rank(entry.query, [entry.document], { maxLength: entry.max_length });
      if (frame[0]!.ids.length > entry.max_length) {
        // There the tail overwrites the query; here a query without room is an error.
        await expectCode(cut, 'QUERY_TOO_LONG');
        continue;
      }
      const [encoded] = await encoder.encode([[entry.query, entry.document]], {
        maxLength: entry.max_length,
        truncation: 'document',
        specialTokens: 'parse',
      });
      expect(encoded!.ids, entry.name).toEqual(entry.token_ids);
      const [hit] = await cut;
      expect(hit).toMatchObject({ tokens: entry.token_ids.length, truncated: entry.document_tokens_dropped > 0 });
      expect(Math.abs(hit!.logit - entry.logit_fp32), entry.name).toBeLessThanOrEqual(tolerance);
      const strict = reranker.predict([[entry.query, entry.document]], {
        maxLength: entry.max_length,
        truncation: 'error',
      });
      if (entry.document_tokens_dropped > 0) await expectCode(strict, 'PROMPT_TOO_LONG');
      else expect(await strict).toHaveLength(1);
    }
  });
});

test('what prompts share is computed once', async () => {
  const data = golden('causal-bf16');
  await using reranker = await Reranker.load(data.folder, { ...exact, workers: 1 });
  const before = reranker.counters();
  const query = 'word '.repeat(200);
  await reranker.rank(query, ['one', 'two', 'three', 'three']);
  const after = reranker.counters();
  const tokens = after.tokens - before.tokens;
  const computed = after.computedTokens - before.computedTokens;
  expect(tokens).toBeGreaterThan(4 * 200);
  expect(computed).toBeLessThan(tokens / 3);
});

test('the score of a classifier without template is a sigmoid of its logit', async () => {
  const data = golden('seqcls-bf16');
  await using reranker = await Reranker.load(data.folder, exact);
  for (const entry of data.pairs!) {
    const [hit] = await reranker.rank(entry.text, [entry.text_pair]);
    expect(hit!.score).toBeCloseTo(entry.score_sigmoid, 5);
  }
});

test('shards behind symlinks in scattered folders', async () => {
  const data = golden('causal-fp32-sharded');
  const folder = await copyOfGolden('causal-fp32-sharded');
  const blobs = await temporaryFolder();
  for (const [i, file] of (await readdir(folder)).filter((file) => file.endsWith('.safetensors')).entries()) {
    const blob = join(blobs, `store-${i}`, 'blob');
    await mkdir(join(blobs, `store-${i}`));
    await rename(join(folder, file), blob);
    await symlink(blob, join(folder, file));
  }
  await using reranker = await Reranker.load(folder, exact);
  const entry = data.cases[0]!;
  expectClose(await reranker.predict([pairOf(data, entry)]), [entry.logit_fp32], tolerance, [entry.name]);
});

test('the template may stand in tokenizer_config.json', async () => {
  const data = golden('causal-bf16');
  const folder = await copyOfGolden('causal-bf16');
  const { readFile, writeFile } = await import('node:fs/promises');
  const template = await readFile(join(folder, 'chat_template.jinja'), 'utf8');
  await rm(join(folder, 'chat_template.jinja'));
  const path = join(folder, 'tokenizer_config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as object;
  for (const chat_template of [
    template,
    [
      { name: 'tool_use', template: 'x' },
      { name: 'default', template },
    ],
  ]) {
    await writeFile(path, JSON.stringify({ ...config, chat_template }));
    await using reranker = await Reranker.load(folder, exact);
    const entry = data.cases[0]!;
    expectClose(await reranker.predict([pairOf(data, entry)]), [entry.logit_fp32], tolerance, [entry.name]);
  }
});
