// Ids beside those of transformers' AutoTokenizer (tools/fixtures/auto_tokenizers.py).

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readAutoTokenizer } from '../../dist/checkpoint/tokenizer-files.js';
import { Tokenizer } from '../../dist/tokenization/tokenizer.js';
import { expectCode } from '../support.js';

interface Case {
  name: string;
  tokenizer: string;
  model_type: string;
  config: object | null;
  special_tokens_map: object | null;
  plain: number[][];
  texts: number[][];
  pairs: number[][];
  types: number[][];
}

interface Fixture {
  texts: string[];
  pairs: [string, string][];
  tokenizers: Record<string, object>;
  cases: Case[];
}

const path = new URL('../fixtures/auto-tokenizers.json', import.meta.url);
const { texts, pairs, tokenizers, cases } = JSON.parse(await readFile(path, 'utf8')) as Fixture;

const folders: string[] = [];

async function folderOf(files: Record<string, string | object | null>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zrank-tokenizer-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    if (content === null) continue;
    await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

const folderOfCase = (given: Case) =>
  folderOf({
    'tokenizer.json': tokenizers[given.tokenizer]!,
    'config.json': { model_type: given.model_type },
    'tokenizer_config.json': given.config,
    'special_tokens_map.json': given.special_tokens_map,
  });

/** Classes that make of a tokenizer.json of another kind what nobody can mean. */
const refused = ['no config'];

test.each(cases.filter(({ name }) => !refused.includes(name)))(
  '$name: ids are those of transformers',
  async (given) => {
    const tokenizer = new Tokenizer(await readAutoTokenizer(await folderOfCase(given)));
    expect(await tokenizer.encode(texts)).toEqual(given.plain);
    const encoded = await tokenizer.encodings([...texts, ...pairs], 'parse');
    expect(encoded.map((encoding) => encoding.getIds())).toEqual([...given.texts, ...given.pairs]);
    expect(encoded.slice(texts.length).map((encoding) => encoding.getTypeIds())).toEqual(given.types);
  },
);

test.each(refused)('%s: the tokenizer is refused', async (name) => {
  const text = await readAutoTokenizer(await folderOfCase(cases.find((given) => given.name === name)!));
  expect(() => new Tokenizer(text)).toThrow(expect.objectContaining({ code: 'TOKENIZER_INVALID' }) as Error);
});

test('a special token that another file names stays text where specialTokens says so', async () => {
  const given = cases.find(({ name }) => name === 'generic, all named')!;
  const tokenizer = new Tokenizer(await readAutoTokenizer(await folderOfCase(given)));
  const text = 'a [UNK] b';
  const [parsed] = await tokenizer.encodings([text], 'parse');
  const [kept] = await tokenizer.encodings([text], 'text');
  expect(parsed!.getTokens()).toContain('[UNK]');
  expect(kept!.getLength()).toBeGreaterThan(parsed!.getLength());
});

test('the same ids come of a tokenizer.json in another order', async () => {
  const given = cases.find(({ name }) => name === 'bert, cased')!;
  const { model, ...rest } = tokenizers[given.tokenizer] as { model: object };
  const reordered = { model: Object.fromEntries(Object.entries(model).reverse()), ...rest };
  const folder = await folderOfCase(given);
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(reordered, null, 1));
  expect(await new Tokenizer(await readAutoTokenizer(folder)).encode(texts)).toEqual(given.plain);
});

test('tokenizer.json is left as it is where nothing is to be completed', async () => {
  const text = JSON.stringify(tokenizers['byte-level'], null, 2);
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', eos_token: '<|im_end|>', image_size: 3 };
  expect(await readAutoTokenizer(await folderOf({ 'tokenizer.json': text, 'tokenizer_config.json': config }))).toBe(
    text,
  );
});

test.each([
  [{ split_special_tokens: true }, /split_special_tokens/],
  [{ fast_tokenizer_files: ['tokenizer.4.0.json', 'tokenizer.json'] }, /fast_tokenizer_files/],
])('%j is refused', async (config, message) => {
  const folder = await folderOf({ 'tokenizer.json': tokenizers['byte-level']!, 'tokenizer_config.json': config });
  await expectCode(readAutoTokenizer(folder), 'TOKENIZER_INVALID', message);
});
