// What a bi-encoder's folder can declare: computed as sentence-transformers computes it, harmless, or refused by name.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BiEncoder } from 'zrank';
import { readSentenceTransformer } from '../../dist/networks/encoder/sentence-transformer.js';
import { changed, expectedOf, expectRows, fixture, modules, safetensors } from '../encoder-folders.js';

const sentenceTransformers = 'config_sentence_transformers.json';
const transformer = 'sentence_bert_config.json';
const pooling = '1_Pooling/config.json';

describe('Dense modules', () => {
  test('follow a table as in sentence-transformers, behind them Normalize, then truncate_dim', async () => {
    const { texts, rows } = await expectedOf<{ texts: string[]; rows: number[][] }>('dense');
    await using encoder = await BiEncoder.load(fixture('dense'));
    expect(encoder).toMatchObject({ dimensions: 3, similarity: 'euclidean', isNormalized: false });
    expectRows(await encoder.encode(texts), rows);
    await using whole = await BiEncoder.load(await changed('dense', { [sentenceTransformers]: {} }));
    expect(whole).toMatchObject({ dimensions: 5, similarity: undefined, isNormalized: true });
    for (const row of await whole.encode(['list', 'bond'])) expect(Math.hypot(...row)).toBeCloseTo(1, 5);
  });

  /** Two outputs of the 32: the first two inputs' sum less 1, and the negated third less 1. */
  const values = Array.from({ length: 64 }, (_, i) => [1, 1][i] ?? (i === 34 ? -1 : 0));
  const files = (activation: string | undefined) => ({
    [sentenceTransformers]: {},
    'modules.json': modules('Transformer', 'Pooling', 'Dropout', 'Dense'),
    '3_Dense/config.json': { activation_function: activation },
    '3_Dense/model.safetensors': safetensors({
      'linear.weight': { shape: [2, 32], values },
      'linear.bias': { shape: [2], values: [-1, -1] },
    }),
  });

  test.each<[string | undefined, (x: number) => number]>([
    [undefined, Math.tanh],
    ['torch.nn.modules.linear.Identity', (x) => x],
    ['torch.nn.ReLU', (x) => Math.max(0, x)],
    ['torch.nn.modules.activation.Sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ])('follow a pooled Transformer, with the activation %s', async (name, activation) => {
    const { texts, pooling } = await expectedOf<{ texts: string[]; pooling: { mean: number[][] } }>('bi-encoder');
    await using encoder = await BiEncoder.load(await changed('bi-encoder', files(name)));
    expectRows(
      await encoder.encode(texts),
      pooling.mean.map((row) => [row[0]! + row[1]! - 1, -row[2]! - 1].map(activation)),
    );
  });

  test.each<[string, Record<string, object | undefined>, string]>([
    [
      'another activation',
      { '1_Dense/config.json': { activation_function: 'torch.nn.GELU' } },
      'ARCHITECTURE_UNSUPPORTED',
    ],
    ['code of its own', { '1_Dense/config.json': { activation_function: 'my.Tanh' } }, 'ARCHITECTURE_UNSUPPORTED'],
    ['a residual', { '1_Dense/config.json': { use_residual: true } }, 'ARCHITECTURE_UNSUPPORTED'],
    ['no weights', { '1_Dense/model.safetensors': undefined }, 'SHARD_MISSING'],
    [
      'weights of another name',
      { '1_Dense/model.safetensors': safetensors({ weight: { shape: [1, 16], values: Array(16).fill(0) } }) },
      'TENSOR_MISSING',
    ],
    [
      'weights that do not fit',
      { '1_Dense/model.safetensors': safetensors({ 'linear.weight': { shape: [1, 2], values: [0, 0] } }) },
      'TENSOR_SHAPE_MISMATCH',
    ],
  ])('with %s are refused', async (_, files, code) => {
    await expect(BiEncoder.load(await changed('dense', files))).rejects.toMatchObject({ code });
  });
});

describe('a key that changes embeddings and is not computed is refused by name', () => {
  test.each<[string, object, string]>([
    [sentenceTransformers, { similarity_fn_name: 'maxsim' }, 'similarity_fn_name'],
    [sentenceTransformers, { model_type: 'SparseEncoder' }, 'model_type'],
    [transformer, { transformer_task: 'fill-mask' }, 'transformer_task'],
    [transformer, { modality_config: { text: { method: 'get_text_features' } } }, 'method'],
    [transformer, { module_output_name: 'sentence_embedding' }, 'module_output_name'],
    [transformer, { processing_kwargs: { text: { add_special_tokens: false } } }, 'processing_kwargs'],
    [transformer, { tokenizer_args: { model_max_length: 9 } }, 'model_max_length in tokenizer_args'],
    [transformer, { model_kwargs: { num_hidden_layers: 1 } }, 'num_hidden_layers in model_kwargs'],
    [transformer, { query_length: 8 }, 'query_length'],
    [pooling, { include_prompt: false }, 'include_prompt'],
    ['2_Normalize/config.json', { module_input_name: 'token_embeddings' }, 'module_input_name'],
    ['modules.json', modules('Transformer', 'WeightedLayerPooling', 'Pooling'), 'WeightedLayerPooling'],
    ['modules.json', modules('Router'), 'Router'],
    ['modules.json', modules('Transformer', 'Pooling', 'LayerNorm'), 'LayerNorm'],
    ['modules.json', [{ type: 'custom_st.Transformer', path: '', kwargs: ['task'] }], 'Transformer'],
  ])('%s: %j', async (file, content, name) => {
    const prompts = { prompts: { query: 'q: ' } };
    const files = { [sentenceTransformers]: prompts, [file]: content };
    await expect(BiEncoder.load(await changed('bi-encoder', files))).rejects.toMatchObject({
      code: 'ARCHITECTURE_UNSUPPORTED',
      message: expect.stringContaining(name),
    });
  });
});

describe('other keys are accepted', () => {
  test('at the values that are computed, and where they say nothing about an embedding', async () => {
    const folder = await changed('bi-encoder', {
      'modules.json': modules('Transformer', 'Pooling').map((module, idx) => ({
        ...module,
        idx,
        name: `${idx}`,
        kwargs: ['task'],
      })),
      [sentenceTransformers]: { __version__: {}, similarity_fn_name: null, truncate_dim: null, model_type: null },
      [transformer]: {
        processing_kwargs: {},
        unpad_inputs: true,
        modality_config: { text: { method: 'forward', method_output_name: 'last_hidden_state' } },
        model_args: { torch_dtype: 'float16', add_pooling_layer: false },
      },
      [pooling]: { word_embedding_dimension: 32, pooling_mode_mean_tokens: true, include_prompt: false },
    });
    expect((await readSentenceTransformer(folder)).unknownKeys).toEqual([]);
    const { texts, pooling: rows } = await expectedOf<{ texts: string[]; pooling: { mean: number[][] } }>('bi-encoder');
    await using encoder = await BiEncoder.load(folder);
    expectRows(await encoder.encode(texts), rows.mean);
  });

  test('from a later version, and told', async () => {
    const files: Record<string, object> = {
      'modules.json': modules('Transformer', 'Pooling').map((module) => ({ ...module, a: 1 })),
      [sentenceTransformers]: { b: 1 },
      [transformer]: { c: 1 },
      [pooling]: { d: 1 },
    };
    const { unknownKeys } = await readSentenceTransformer(await changed('bi-encoder', files));
    expect(unknownKeys).toEqual([
      'modules.json: a',
      'modules.json: a',
      `${sentenceTransformers}: b`,
      `${transformer}: c`,
      `${pooling}: d`,
    ]);
  });

  test('and none of the fixtures has one that is not known', async () => {
    for (const name of ['bi-encoder', 'static', 'dense'] as const)
      expect((await readSentenceTransformer(fixture(name))).unknownKeys).toEqual([]);
  });
});

test('a Transformer module is read by the name that its network once gave its file', async () => {
  const folder = await changed('bi-encoder', { [transformer]: { max_seq_length: 9 } });
  const short = await readSentenceTransformer(folder);
  await rename(join(folder, transformer), join(folder, 'sentence_xlm-roberta_config.json'));
  const renamed = await readSentenceTransformer(folder);
  expect(renamed).toEqual(short);
  expect(renamed.network).toMatchObject({ encoder: { maxLength: 9 } });
});
