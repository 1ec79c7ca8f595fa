// Real: the addon, ONNX Runtime, and a BERT of 2 layers of 32 with random weights; what sentence-transformers computes
// with it lies in its expected.json. Graphs of a few nodes stand in for what such a model would not do.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BiEncoder } from 'zrank';
import { changed, expectedOf, expectRows, fixture, modules, tinyGraph } from '../encoder-folders.js';

type Rows = number[][];
interface Expected {
  texts: string[];
  query: Rows;
  document: Rows;
  default: Rows;
  pooling: Record<string, Rows>;
  joined: Rows;
}

let expected: Expected;
let encoder: BiEncoder;
beforeAll(async () => {
  expected = await expectedOf('bi-encoder');
  encoder = await BiEncoder.load(fixture('bi-encoder'));
});
afterAll(() => encoder.close());

const withoutPrompts = { 'config_sentence_transformers.json': {}, 'modules.json': undefined };

describe('embeddings equal those of sentence-transformers', () => {
  test.each(['query', 'document'] as const)('of a %s, behind its prompt', async (kind) => {
    expectRows(await encoder.encode(expected.texts, { kind }), expected[kind]);
  });

  test('of a text of no kind, behind the default prompt', async () => {
    expectRows(await encoder.encode(expected.texts), expected.default);
  });

  test.each(['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'])(
    'pooled by %s, not normalized',
    async (mode) => {
      const folder = await changed('bi-encoder', {
        ...withoutPrompts,
        'modules.json': modules('Transformer', 'Pooling'),
        '1_Pooling/config.json': { pooling_mode: mode },
      });
      await using pooled = await BiEncoder.load(folder);
      expectRows(await pooled.encode(expected.texts), expected.pooling[mode]!);
    },
  );

  test.each([
    ['booleans', { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true, pooling_mode_max_tokens: false }],
    ['a list', { pooling_mode: ['cls', 'mean'] }],
  ])('pooled by two modes, joined, given as %s', async (_, config) => {
    await using joined = await BiEncoder.load(
      await changed('bi-encoder', {
        ...withoutPrompts,
        'modules.json': modules('Transformer', 'Pooling'),
        '1_Pooling/config.json': config,
      }),
    );
    expect(joined.dimensions).toBe(64);
    expectRows(await joined.encode(expected.texts), expected.joined);
  });

  test('of a folder without modules.json: mean pooling, no prompt', async () => {
    await using plain = await BiEncoder.load(
      await changed('bi-encoder', { ...withoutPrompts, '1_Pooling': undefined }),
    );
    expectRows(await plain.encode(expected.texts, { kind: 'query' }), expected.pooling['mean']!);
  });
});

describe('the folder', () => {
  const long = ['a bond and a bank '.repeat(20), 'a bond and a bank '.repeat(21)];

  test('max_seq_length cuts the text and keeps [SEP]; positions are the limit without it', async () => {
    const folder = await changed('bi-encoder', { 'sentence_bert_config.json': { max_seq_length: 9 } });
    await using short = await BiEncoder.load(folder);
    const [cut, same] = await short.encode([
      'list list list list list, of a bank',
      'list list list list list, of another',
    ]);
    expectRows([cut!], [same!]);
    await using set = await BiEncoder.load(fixture('bi-encoder'), { maxLength: 9 });
    expectRows(await set.encode(['list list list list list, of']), [cut!]);
    await using unlimited = await BiEncoder.load(await changed('bi-encoder', { 'tokenizer_config.json': undefined }));
    expectRows([(await unlimited.encode(long))[0]!], [(await unlimited.encode(long))[1]!]);
    await expect(BiEncoder.load(fixture('bi-encoder'), { maxLength: 49 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      received: '49',
    });
  });

  test('do_lower_case comes before the tokenizer', async () => {
    const cased = JSON.parse(await tokenizerText()) as { normalizer: object };
    cased.normalizer = {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: true,
      lowercase: false,
    };
    const lowered = await changed('bi-encoder', {
      'tokenizer.json': cased,
      'sentence_bert_config.json': { do_lower_case: true },
    });
    await using lowering = await BiEncoder.load(lowered);
    expectRows(await lowering.encode(expected.texts, { kind: 'query' }), expected.query);
    await using keeping = await BiEncoder.load(await changed('bi-encoder', { 'tokenizer.json': cased }));
    const [upper, lower] = await keeping.encode(['LIST', 'list']);
    expect(upper).not.toEqual(lower);
  });

  test('onnx/model.onnx comes before others of that folder, and they before model.onnx', async () => {
    const one = tinyGraph('last_hidden_state', 2 ** 16);
    const dimensionsOf = async (files: Record<string, object | undefined>) => {
      await using loaded = await BiEncoder.load(await changed('bi-encoder', files));
      return loaded.dimensions;
    };
    expect(await dimensionsOf({ 'onnx/model_O2.onnx': one, 'model.onnx': one })).toBe(32);
    expect(await dimensionsOf({ 'onnx/model.onnx': undefined, 'onnx/model_O2.onnx': one })).toBe(1);
    expect(await dimensionsOf({ onnx: undefined, 'model.onnx': one })).toBe(1);
  });

  test('a graph that pools itself gives the rows', async () => {
    const folder = await changed('bi-encoder', {
      ...withoutPrompts,
      'onnx/model.onnx': tinyGraph('sentence_embedding', 400),
    });
    await using pooled = await BiEncoder.load(folder);
    const [short] = await pooled.encode(['list']);
    const [long] = await pooled.encode(['list of a list']);
    expect(pooled.dimensions).toBe(1);
    expect(long![0]!).toBeGreaterThan(short![0]!);
  });

  test.each<[string, Record<string, object | string | undefined>, string]>([
    ['no ONNX file', { onnx: undefined }, 'FILE_NOT_FOUND'],
    ['no tokenizer', { 'tokenizer.json': undefined }, 'FILE_NOT_FOUND'],
    ['no config', { 'config.json': undefined }, 'FILE_NOT_FOUND'],
    ['a tokenizer that is none', { 'tokenizer.json': {} }, 'TOKENIZER_INVALID'],
    [
      'a module that is nowhere',
      { 'modules.json': [{ type: 'sentence_transformers.models.StaticEmbedding', path: '0' }] },
      'FILE_NOT_FOUND',
    ],
    ['an ONNX file that is none', { 'onnx/model.onnx': 'nothing' }, 'SESSION_FAILED'],
    [
      'an input that no encoder has',
      { 'onnx/model.onnx': tinyGraph('last_hidden_state', 400, 'pixel_values') },
      'SESSION_FAILED',
    ],
    ['modules.json that is no JSON', { 'modules.json': '[' }, 'JSON_INVALID'],
    ['modules.json that is no list', { 'modules.json': {} }, 'CONFIG_INVALID'],
    ['a pooling that does not exist', { '1_Pooling/config.json': { pooling_mode: 'median' } }, 'CONFIG_INVALID'],
    ['no pooling', { '1_Pooling/config.json': { pooling_mode: [] } }, 'CONFIG_INVALID'],
    [
      'a default prompt that does not exist',
      { 'config_sentence_transformers.json': { default_prompt_name: 'x', prompts: {} } },
      'CONFIG_INVALID',
    ],
  ])('with %s is refused', async (_, files, code) => {
    await expect(BiEncoder.load(await changed('bi-encoder', files))).rejects.toMatchObject({
      name: 'ZrankError',
      code,
    });
  });

  test('must exist', async () => {
    await expect(BiEncoder.load('no-such-folder')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(BiEncoder.load(7 as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(BiEncoder.load(fixture('bi-encoder'), { batch: 1 } as never)).rejects.toThrow('no option "batch"');
  });
});

describe('encode', () => {
  test('returns an embedding of unit length a text, in order; batched as alone, whatever the batch', async () => {
    const texts = [...expected.texts, ...expected.texts].reverse();
    const alone = (await Promise.all(texts.map((text) => encoder.encode([text], { kind: 'query' })))).flat();
    for (const maxBatchTokens of [1, 50, 100_000]) {
      await using batching = await BiEncoder.load(fixture('bi-encoder'), { maxBatchTokens, workers: 2 });
      expectRows(await batching.encode(texts, { kind: 'query' }), alone);
    }
    expect(encoder.dimensions).toBe(32);
    for (const row of alone) expect(Math.hypot(...row)).toBeCloseTo(1, 5);
  });

  test('of no text gives nothing', async () => {
    expect(await encoder.encode([])).toEqual([]);
  });

  test('reports progress up to the end', async () => {
    const calls: { completed: number; total: number }[] = [];
    await using batching = await BiEncoder.load(fixture('bi-encoder'), { maxBatchTokens: 40 });
    await batching.encode(expected.texts, { onProgress: (progress) => calls.push(progress) });
    expect(calls.length).toBeGreaterThan(1);
    expect(calls.at(-1)).toEqual({ completed: 10, total: 10 });
  });

  test('of more characters than a window holds keeps the order', async () => {
    const padding = ' '.repeat(300_000);
    const texts = ['list', `bank${padding}`, `of${padding}`, `curve${padding}`, `court${padding}`, 'city'];
    const short = texts.map((text) => text.trimEnd());
    expectRows(await encoder.encode(texts, { kind: 'document' }), await encoder.encode(short, { kind: 'document' }));
  });

  test('refuses what is not a list of strings, and options it does not have', async () => {
    await expect(encoder.encode('text' as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      expected: 'an array of strings',
    });
    await expect(encoder.encode(['a', 7 as never])).rejects.toThrow('text 1');
    await expect(encoder.encode(['a'], { kind: 'passage' as never })).rejects.toThrow('kind');
    await expect(encoder.encode(['a'], { prompt: 'x' } as never)).rejects.toThrow('no option "prompt"');
  });

  test('ends with ABORTED', async () => {
    await expect(encoder.encode(['a'], { signal: AbortSignal.abort('no') })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: 'no',
    });
    const controller = new AbortController();
    const call = encoder.encode(
      Array.from({ length: 2000 }, (_, i) => `text ${i}`),
      { signal: controller.signal, onProgress: () => controller.abort() },
    );
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
    expectRows(await encoder.encode(expected.texts), expected.default);
  });

  test('fails with SCORE_NOT_FINITE where an embedding is not finite', async () => {
    const vocabulary = (JSON.parse(await tokenizerText()) as { model: { vocab: Record<string, number> } }).model.vocab;
    const limit = Math.max(vocabulary['.']!, vocabulary['[SEP]']!);
    await using broken = await BiEncoder.load(
      await changed('bi-encoder', { ...withoutPrompts, 'onnx/model.onnx': tinyGraph('last_hidden_state', limit) }),
    );
    expect(await broken.encode(['.'])).toHaveLength(1);
    await expect(broken.encode(['.', 'list'])).rejects.toMatchObject({ code: 'SCORE_NOT_FINITE' });
    const always = await changed('bi-encoder', { 'onnx/model.onnx': tinyGraph('last_hidden_state', -1) });
    await expect(BiEncoder.load(always)).rejects.toMatchObject({ code: 'SCORE_NOT_FINITE' });
  });

  test('waits in close(), fails with CLOSED after it', async () => {
    const closing = await BiEncoder.load(fixture('bi-encoder'));
    const call = closing.encode(expected.texts);
    await Promise.all([closing.close(), closing.close()]);
    expectRows(await call, expected.default);
    await expect(closing.encode(['a'])).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

function tokenizerText(): Promise<string> {
  return readFile(`${fixture('bi-encoder')}/tokenizer.json`, 'utf8');
}
