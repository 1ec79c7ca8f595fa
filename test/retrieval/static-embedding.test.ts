// Real: the tokenizer and a table of random fp16 embeddings; expected.json is what sentence-transformers makes of it.
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { BiEncoder } from 'zrank';
import { changed, expectedOf, expectRows, fixture, modules, safetensors } from '../encoder-folders.js';

interface Expected {
  texts: string[];
  normalized: number[][];
  raw: number[][];
}

let expected: Expected;
beforeAll(async () => {
  expected = await expectedOf('static');
});

const withoutNormalize = modules('StaticEmbedding');

function table(values: number[]): Uint8Array {
  return safetensors({ 'embedding.weight': { shape: [values.length, 1], values } });
}

describe('StaticEmbedding', () => {
  test('embeds as sentence-transformers does, normalized', async () => {
    await using encoder = await BiEncoder.load(fixture('static'));
    expect(encoder.dimensions).toBe(16);
    expectRows(await encoder.encode(expected.texts), expected.normalized);
  });

  test('embeds as sentence-transformers does, not normalized; a text without tokens as zeros', async () => {
    await using encoder = await BiEncoder.load(await changed('static', { 'modules.json': withoutNormalize }));
    const rows = await encoder.encode(expected.texts, { kind: 'document' });
    expectRows(rows, expected.raw);
    expect(rows[expected.texts.indexOf('')]).toEqual(new Float32Array(16));
  });

  test('embeds one by one as together, and reports progress', async () => {
    await using encoder = await BiEncoder.load(fixture('static'));
    const texts = Array.from({ length: 3000 }, (_, i) => expected.texts[i % expected.texts.length]!);
    const completed: number[] = [];
    const rows = await encoder.encode(texts, { onProgress: (progress) => completed.push(progress.completed) });
    expect(completed.length).toBeGreaterThan(1);
    expect(completed.at(-1)).toBe(3000);
    for (const i of [0, 1499, 2999]) expect((await encoder.encode([texts[i]!]))[0]).toEqual(rows[i]);
  });

  test('embeds very many empty texts', async () => {
    await using encoder = await BiEncoder.load(fixture('static'));
    expect(await encoder.encode(Array<string>(300_000).fill(''))).toHaveLength(300_000);
  });

  test.each([
    ['BF16', [0x3f80, 0xc040, 0x7f7f, 0x0001, 0x8000], [1, -3, 3.3895313892515355e38, 9.183549615799121e-41, -0]],
    ['F16', [0x3c00, 0xc200, 0x7bff, 0x0001, 0x83ff], [1, -3, 65504, 2 ** -24, -1023 * 2 ** -24]],
  ])('reads every %s number exactly', async (dtype, bits, values) => {
    const data = new Uint8Array(Uint16Array.from(bits).buffer);
    const folder = await changed('static', {
      'modules.json': withoutNormalize,
      'model.safetensors': safetensors({ embeddings: { dtype, shape: [5, 1], bytes: data } }),
      'tokenizer.json': {
        model: { type: 'WordLevel', vocab: { a: 0, b: 1, c: 2, d: 3, e: 4 }, unk_token: 'a' },
        pre_tokenizer: { type: 'Whitespace' },
        added_tokens: [],
      },
    });
    await using encoder = await BiEncoder.load(folder);
    const rows = await encoder.encode(['a', 'b', 'c', 'd', 'e']);
    expect(rows.map((row) => row[0])).toEqual(values.map((value) => Math.fround(value) || 0));
  });

  test('fails with SCORE_NOT_FINITE for an embedding that is not finite', async () => {
    await using encoder = await BiEncoder.load(
      await changed('static', { 'model.safetensors': table(Array(241).fill(NaN)) }),
    );
    expect(await encoder.encode([''])).toEqual([new Float32Array(1)]);
    await expect(encoder.encode(['', 'list'])).rejects.toMatchObject({ code: 'SCORE_NOT_FINITE' });
  });

  test('fails with DATA_INVALID for a token that the table does not have', async () => {
    await using encoder = await BiEncoder.load(await changed('static', { 'model.safetensors': table([1, 2, 3]) }));
    await expect(encoder.encode(['list'])).rejects.toMatchObject({ code: 'DATA_INVALID' });
  });

  test('fails with CLOSED and ABORTED', async () => {
    const encoder = await BiEncoder.load(fixture('static'));
    await expect(encoder.encode(['a'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    await encoder.close();
    await expect(encoder.encode(['a'])).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test.each<[string, Record<string, object | undefined>, string]>([
    ['no weights', { 'model.safetensors': undefined }, 'SHARD_MISSING'],
    ['no tokenizer', { 'tokenizer.json': undefined }, 'FILE_NOT_FOUND'],
    [
      'weights of another name',
      { 'model.safetensors': safetensors({ weight: { shape: [1, 1], values: [0] } }) },
      'TENSOR_MISSING',
    ],
    [
      'weights of another shape',
      { 'model.safetensors': safetensors({ embeddings: { shape: [1], values: [0] } }) },
      'TENSOR_SHAPE_MISMATCH',
    ],
    [
      'weights of another type',
      { 'model.safetensors': safetensors({ embeddings: { dtype: 'I8', shape: [4, 1], bytes: new Uint8Array(4) } }) },
      'TENSOR_DTYPE_UNSUPPORTED',
    ],
  ])('refuses %s', async (_, files, code) => {
    await expect(BiEncoder.load(await changed('static', files))).rejects.toMatchObject({ code });
  });

  test('is what the embedded retriever is', async () => {
    await using encoder = await BiEncoder.load(
      fileURLToPath(new URL('../../models/zrank-tiny-retriever', import.meta.url)),
    );
    const [query, near, far] = await encoder.encode(['bond yields', 'yields of a bond', 'the court held']);
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    expect(dot(query!, near!)).toBeGreaterThan(dot(query!, far!));
    expect(dot(near!, near!)).toBeCloseTo(1, 5);
  });
});
