// Spoiled copies of a golden checkpoint: each fault has its own code and none is a crash.

import { chmod, cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Reranker, type ErrorCode } from 'zrank';
import { copyOfGolden, expectCode, temporaryFolder, root, zrank } from '../support.js';

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** Rewrites the header of model.safetensors and leaves the data as it is. */
async function editHeader(folder: string, edit: (header: Header) => void): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const file = await readFile(path);
  const length = Number(file.readBigUInt64LE());
  const header = JSON.parse(file.subarray(8, 8 + length).toString()) as Header;
  edit(header);
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  await writeFile(path, Buffer.concat([prefix, text, file.subarray(8 + length)]));
}

async function editJson(folder: string, name: string, change: Record<string, unknown>): Promise<void> {
  const path = join(folder, name);
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...json, ...change }));
}

async function editTokenizerModel(folder: string, change: Record<string, unknown>): Promise<void> {
  const { model } = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8')) as { model: object };
  await editJson(folder, 'tokenizer.json', { model: { ...model, ...change } });
}

/** A post-processor that puts a token before a text, and defines another one. */
const template = (used: string, defined: string) => ({
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: used, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: { [defined]: { id: defined, ids: [1], tokens: [defined] } },
});

/** A sparse file of 3 GB whose header claims 2 GB. */
async function hugeHeader(folder: string): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(2_000_000_000n);
  await writeFile(path, prefix);
  await truncate(path, 3_000_000_000);
}

async function folderFor(folder: string, file: string): Promise<void> {
  await rm(join(folder, file));
  await mkdir(join(folder, file));
}

const embedding = 'model.embed_tokens.weight';
const query = 'model.layers.1.self_attn.q_proj.weight';

const faults: [what: string, code: ErrorCode, spoil: (folder: string) => Promise<unknown>][] = [
  ['fewer than 8 bytes', 'SAFETENSORS_TRUNCATED', (f) => truncate(join(f, 'model.safetensors'), 5)],
  ['an empty file', 'SAFETENSORS_TRUNCATED', (f) => truncate(join(f, 'model.safetensors'), 0)],
  ['a truncated header', 'SAFETENSORS_HEADER_TOO_LONG', (f) => truncate(join(f, 'model.safetensors'), 100)],
  [
    'a header that claims more than there can be',
    'SAFETENSORS_HEADER_TOO_LONG',
    (f) => writeFile(join(f, 'model.safetensors'), Buffer.alloc(64, 0xff)),
  ],
  ['a header longer than any', 'SAFETENSORS_HEADER_TOO_LONG', (f) => hugeHeader(f)],
  ['a folder for weights', 'FILE_UNREADABLE', (f) => folderFor(f, 'model.safetensors')],
  ['a folder for config.json', 'FILE_UNREADABLE', (f) => folderFor(f, 'config.json')],
  [
    'a header that is no JSON',
    'SAFETENSORS_HEADER_INVALID',
    (f) =>
      writeFile(
        join(f, 'model.safetensors'),
        Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"a"')]),
      ),
  ],
  [
    'a header that is no object',
    'SAFETENSORS_HEADER_INVALID',
    (f) =>
      writeFile(
        join(f, 'model.safetensors'),
        Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('[]')]),
      ),
  ],
  [
    'a tensor without shape',
    'SAFETENSORS_HEADER_INVALID',
    (f) => editHeader(f, (h) => delete (h[query] as { shape?: unknown }).shape),
  ],
  ['a negative dimension', 'SAFETENSORS_HEADER_INVALID', (f) => editHeader(f, (h) => (h[query]!.shape = [-1, 64]))],
  ['truncated data', 'TENSOR_OFFSETS_OUT_OF_RANGE', (f) => truncate(join(f, 'model.safetensors'), 400_000)],
  [
    'offsets beyond the file',
    'TENSOR_OFFSETS_OUT_OF_RANGE',
    (f) => editHeader(f, (h) => (h[query]!.data_offsets = [1e9, 1e9 + 16_384])),
  ],
  ['offsets in reverse', 'TENSOR_OFFSETS_OUT_OF_RANGE', (f) => editHeader(f, (h) => h[query]!.data_offsets.reverse())],
  [
    'overlapping offsets',
    'TENSOR_OFFSETS_OVERLAP',
    (f) => editHeader(f, (h) => (h[query]!.data_offsets = [1024, 1024 + 128 * 64 * 2])),
  ],
  [
    'offsets that do not span the shape',
    'TENSOR_SHAPE_MISMATCH',
    (f) => editHeader(f, (h) => (h[query]!.data_offsets[1] -= 2)),
  ],
  ['a missing tensor', 'TENSOR_MISSING', (f) => editHeader(f, (h) => delete h[query])],
  ['a shape unlike the config', 'TENSOR_SHAPE_MISMATCH', (f) => editHeader(f, (h) => h[query]!.shape.reverse())],
  ['an integer dtype', 'TENSOR_DTYPE_UNSUPPORTED', (f) => editHeader(f, (h) => (h[embedding]!.dtype = 'I16'))],
  ['an unknown dtype', 'TENSOR_DTYPE_UNSUPPORTED', (f) => editHeader(f, (h) => (h[embedding]!.dtype = 'F4'))],
  ['no weights', 'SHARD_MISSING', (f) => rm(join(f, 'model.safetensors'))],
  ['no config.json', 'FILE_NOT_FOUND', (f) => rm(join(f, 'config.json'))],
  ['no tokenizer.json', 'FILE_NOT_FOUND', (f) => rm(join(f, 'tokenizer.json'))],
  ['a config that is no JSON', 'JSON_INVALID', (f) => writeFile(join(f, 'config.json'), '{"architectures": [')],
  ['a config that is no object', 'JSON_INVALID', (f) => writeFile(join(f, 'config.json'), '[]')],
  ['a tokenizer that is no JSON', 'TOKENIZER_INVALID', (f) => writeFile(join(f, 'tokenizer.json'), 'x')],
  // The library would panic, which ends the process.
  [
    'a post-processor without its special token',
    'TOKENIZER_INVALID',
    (f) => editJson(f, 'tokenizer.json', { post_processor: template('[CLS]', '[SEP]') }),
  ],
  [
    'merges without the prefix of subwords',
    'TOKENIZER_INVALID',
    async (f) => {
      await editTokenizerModel(f, { continuing_subword_prefix: 'a prefix' });
      // Qwen's own class would bring another prefix.
      await editJson(f, 'tokenizer_config.json', { tokenizer_class: 'PreTrainedTokenizerFast' });
    },
  ],
  ['a tokenizer that is none', 'TOKENIZER_INVALID', (f) => writeFile(join(f, 'tokenizer.json'), '{}')],
  ['a module list that is no JSON', 'JSON_INVALID', (f) => writeFile(join(f, 'modules.json'), '[')],
  [
    'an unknown architecture',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'config.json', { architectures: ['GemmaForCausalLM'] }),
  ],
  [
    'a classifier on another decoder, which is no encoder',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'config.json', { architectures: ['LlamaBidirectionalForSequenceClassification'] }),
  ],
  ['no architecture', 'ARCHITECTURE_UNSUPPORTED', (f) => editJson(f, 'config.json', { architectures: undefined })],
  [
    'two labels',
    'ARCHITECTURE_UNSUPPORTED',
    (f) =>
      editJson(f, 'config.json', { architectures: ['Qwen3ForSequenceClassification'], id2label: { 0: 'a', 1: 'b' } }),
  ],
  ['another activation', 'ARCHITECTURE_UNSUPPORTED', (f) => editJson(f, 'config.json', { hidden_act: 'gelu' })],
  [
    'a rope type that is not known',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'config.json', { rope_scaling: { rope_type: 'yarn', factor: 4 } }),
  ],
  ['attention in both directions', 'ARCHITECTURE_UNSUPPORTED', (f) => editJson(f, 'config.json', { is_causal: false })],
  [
    'a layer that attends to a window',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'config.json', { layer_types: ['full_attention', 'sliding_attention'] }),
  ],
  [
    'quantized weights',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'config.json', { quantization_config: { quant_method: 'gptq', bits: 4 } }),
  ],
  ['an adapter', 'ARCHITECTURE_UNSUPPORTED', (f) => writeFile(join(f, 'adapter_config.json'), '{"r": 8}')],
  [
    'a module that is not computed',
    'ARCHITECTURE_UNSUPPORTED',
    (f) =>
      writeFile(
        join(f, 'modules.json'),
        JSON.stringify(['Transformer', 'Dense'].map((type, i) => ({ type, path: i ? `${i}_${type}` : '' }))),
      ),
  ],
  [
    'another network than its files say',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'sentence_bert_config.json', { config_kwargs: { num_hidden_layers: 2 } }),
  ],
  [
    'a tokenizer from elsewhere',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'sentence_bert_config.json', { tokenizer_name_or_path: 'Qwen/Qwen3-4B' }),
  ],
  [
    'modalities that are no object',
    'CONFIG_INVALID',
    (f) => editJson(f, 'sentence_bert_config.json', { modality_config: ['message'] }),
  ],
  [
    'template variables that are no object',
    'CONFIG_INVALID',
    (f) => editJson(f, 'sentence_bert_config.json', { processing_kwargs: { chat_template: true } }),
  ],
  ['a hidden size that is no number', 'CONFIG_INVALID', (f) => editJson(f, 'config.json', { hidden_size: '64' })],
  ['more layers than there are', 'TENSOR_MISSING', (f) => editJson(f, 'config.json', { num_hidden_layers: 4 })],
  ['an odd head_dim', 'CONFIG_INVALID', (f) => editJson(f, 'config.json', { head_dim: 31 })],
  [
    'a head_dim that attention does not take',
    'ARCHITECTURE_UNSUPPORTED',
    (f) => editJson(f, 'config.json', { head_dim: 24 }),
  ],
  ['heads that cannot be grouped', 'CONFIG_INVALID', (f) => editJson(f, 'config.json', { num_key_value_heads: 3 })],
  ['no scoring token', 'CONFIG_INVALID', (f) => rm(join(f, '1_LogitScore'), { recursive: true })],
  [
    'a scoring token outside the vocabulary',
    'CONFIG_INVALID',
    (f) => editJson(f, '1_LogitScore/config.json', { true_token_id: 1600 }),
  ],
  ['a template that cannot be parsed', 'TEMPLATE_INVALID', (f) => writeFile(join(f, 'chat_template.jinja'), '{% for')],
];

describe('a checkpoint with', () => {
  test.each(faults)('%s gives %s', async (_, code, spoil) => {
    const folder = await copyOfGolden('causal-bf16');
    await spoil(folder);
    await expectCode(Reranker.load(folder), code);
  });
});

describe('a sharded checkpoint with', () => {
  const shards: typeof faults = [
    ['an absent shard', 'SHARD_MISSING', (f) => rm(join(f, 'model-00002-of-00002.safetensors'))],
    ['an index that is no JSON', 'JSON_INVALID', (f) => writeFile(join(f, 'model.safetensors.index.json'), 'x')],
    ['an index without a map', 'CONFIG_INVALID', (f) => writeFile(join(f, 'model.safetensors.index.json'), '{}')],
    [
      'a shard outside the folder',
      'CONFIG_INVALID',
      (f) => writeFile(join(f, 'model.safetensors.index.json'), '{"weight_map": {"a": "../b.safetensors"}}'),
    ],
    [
      'a tensor in another shard than the index says',
      'TENSOR_MISSING',
      async (f) => {
        const path = join(f, 'model.safetensors.index.json');
        const index = JSON.parse(await readFile(path, 'utf8')) as { weight_map: Record<string, string> };
        const name = Object.keys(index.weight_map)[0]!;
        const other = Object.values(index.weight_map).find((shard) => shard !== index.weight_map[name])!;
        await writeFile(path, JSON.stringify({ ...index, weight_map: { ...index.weight_map, [name]: other } }));
      },
    ],
  ];
  test.each(shards)('%s gives %s', async (_, code, spoil) => {
    const folder = await copyOfGolden('causal-fp32-sharded');
    await spoil(folder);
    await expectCode(Reranker.load(folder), code);
  });
});

test('keys that nobody knows load, and zrank inspect tells them; harmless ones are not worth a word', async () => {
  const folder = await copyOfGolden('causal-bf16');
  await editJson(folder, 'config.json', { use_cache: false, transformers_version: '6.0.0' });
  await editJson(folder, 'sentence_bert_config.json', { model_kwargs: { dtype: 'float16' }, unpad_inputs: true });
  await (await Reranker.load(folder)).close();
  const inspect = async () =>
    JSON.parse((await zrank(['inspect', folder, '--json'])).stdout) as { unknownKeys?: string[] };
  expect((await inspect()).unknownKeys).toBeUndefined();
  await editJson(folder, 'config.json', { residual_multiplier: 0.5, rope_scaling: { rope_type: 'default', beta: 1 } });
  await editJson(folder, 'sentence_bert_config.json', { next_years_key: 1 });
  expect((await inspect()).unknownKeys).toEqual([
    'config.json: residual_multiplier',
    'config.json: rope_scaling.beta',
    'sentence_bert_config.json: next_years_key',
  ]);
});

test('model.safetensors counts where an index was left behind, as in transformers', async () => {
  const folder = await copyOfGolden('causal-bf16');
  const index = { weight_map: { 'model.norm.weight': 'model-00001-of-00002.safetensors' } };
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  await (await Reranker.load(folder)).close();
});

describe('where there are other files in place of the weights, the error says what to do', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 8044982080\n`;
  test.each(['model.safetensors', 'tokenizer.json'])('a Git LFS pointer for %s', async (name) => {
    const folder = await copyOfGolden('causal-bf16');
    await writeFile(join(folder, name), pointer);
    await expectCode(
      Reranker.load(folder),
      'FILE_UNREADABLE',
      new RegExp(`${name} is a Git LFS pointer.* git lfs pull`),
    );
  });

  test('a Git LFS pointer for an ONNX file', async () => {
    const folder = await temporaryFolder();
    await cp(join(root, 'test/fixtures/encoders/cross-encoder'), folder, { recursive: true });
    await writeFile(join(folder, 'onnx/model.onnx'), pointer);
    await expectCode(Reranker.load(folder), 'FILE_UNREADABLE', /model\.onnx is a Git LFS pointer/);
  });

  test.each([
    ['pytorch_model.bin', /pytorch_model\.bin.*save_pretrained/],
    ['adapter_model.safetensors', /adapter_model\.safetensors.*merge_and_unload/],
    ['model-q8_0.gguf', /GGUF/],
  ])('%s alone', async (name, message) => {
    const folder = await copyOfGolden('causal-bf16');
    await rename(join(folder, 'model.safetensors'), join(folder, name));
    await expectCode(Reranker.load(folder), 'SHARD_MISSING', message);
  });
});

// Root may read everything.
test('files with a byte order mark are read', async () => {
  const folder = await copyOfGolden('causal-bf16');
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'modules.json'];
  for (const name of names) await writeFile(join(folder, name), `\ufeff${await readFile(join(folder, name), 'utf8')}`);
  await using reranker = await Reranker.load(folder);
  expect(await reranker.predict([['a', 'b']])).toHaveLength(1);
});

test.skipIf(process.getuid?.() === 0)('weights that may not be read give FILE_UNREADABLE', async () => {
  const folder = await copyOfGolden('causal-bf16');
  await chmod(join(folder, 'model.safetensors'), 0o000);
  await expectCode(Reranker.load(folder), 'FILE_UNREADABLE', /model\.safetensors/);
});

test('head_dim is 128 where config.json has none, as in Qwen3Config', async () => {
  const folder = await copyOfGolden('causal-bf16');
  await editJson(folder, 'config.json', { head_dim: undefined });
  await expectCode(Reranker.load(folder), 'TENSOR_SHAPE_MISMATCH', /asks for \[512,64\]/);
});

test('a folder that is not there, or a file, is named', async () => {
  await expectCode(Reranker.load('/no/such/folder'), 'FILE_NOT_FOUND', /\/no\/such\/folder/);
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, '');
  await expectCode(Reranker.load(path), 'FILE_NOT_FOUND');
});

test('an error says what was expected and what came', async () => {
  const folder = await copyOfGolden('causal-bf16');
  await editHeader(folder, (header) => header[query]!.shape.reverse());
  const error = await Reranker.load(folder).catch((error: unknown) => error);
  expect(error).toMatchObject({ name: 'ZrankError', expected: '[128,64]', received: '[64,128]' });
});
