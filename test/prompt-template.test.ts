// Templates of all shapes. The prompts and the refusals are those of sentence-transformers 6.2.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import type { TemplateFiles } from '../dist/checkpoint/template-files.js';
import { readCheckpoint } from '../dist/networks/decoder/checkpoint.js';
import { pairEncoder } from '../dist/networks/decoder/reranker.js';
import { PromptTemplate } from '../dist/prompt/prompt-template.js';
import { Tokenizer } from '../dist/tokenization/tokenizer.js';
import { copyOfGolden, expectCode, golden, zrank } from './support.js';

function load(source: string, files: Partial<TemplateFiles> = {}): PromptTemplate {
  return PromptTemplate.load({
    source,
    isDeclared: true,
    variables: {},
    contentFormat: 'flat',
    defaultPrompt: undefined,
    ...files,
  })!;
}

/** A golden checkpoint with this template, and other values in its JSON files. */
async function folderWith(
  template: string | undefined,
  changes: Record<string, object> = {},
  name = 'causal-bf16',
): Promise<string> {
  const folder = await copyOfGolden(name);
  if (template !== undefined) await writeFile(join(folder, 'chat_template.jinja'), template);
  for (const [file, change] of Object.entries(changes)) {
    const path = join(folder, file);
    const json = await readFile(path, 'utf8').then(
      (text) => JSON.parse(text) as object,
      () => ({}),
    );
    await writeFile(path, JSON.stringify({ ...json, ...change }));
  }
  return folder;
}

const byRole = `{%- for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}`;
/** Qwen3's own, without tools: it knows no roles `query` and `document`. */
const generic = `{%- for message in messages %}{%- if message.role in ['user', 'system'] %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}`;

describe('a template that cannot carry a pair', () => {
  const unfit: [what: string, source: string, why: RegExp][] = [
    ['that drops both', generic, /the query and the document does not reach the prompt/],
    ['that drops the document', `{{ messages[0].content }}`, /the document does not/],
    ['that raises', `{{ raise_exception('no such role') }}`, /no such role/],
  ];
  test.each(unfit)('%s is refused at load where the folder declares it', async (_, source, why) => {
    await expectCode(Reranker.load(await folderWith(source)), 'TEMPLATE_INVALID', why);
  });

  test.each(unfit)('%s refuses pairs, not complete prompts, where it is only there', async (_, source, why) => {
    const folder = await folderWith(source, {}, 'seqcls-bf16');
    await using reranker = await Reranker.load(folder, { device: 'cpu', precision: 'fp32' });
    await expectCode(reranker.predict([['q', 'd']]), 'TEMPLATE_INVALID', why);
    await expectCode(reranker.predict([['q', 'd']], { specialTokens: 'text' }), 'TEMPLATE_INVALID', why);
    const [entry] = golden('seqcls-bf16').cases;
    for (const specialTokens of ['parse', 'text'] as const) {
      const [logit] = await reranker.predict([entry!.prompt], { specialTokens });
      expect(logit).toBeCloseTo(entry!.logit_fp32, 3);
    }
    const inspected = await zrank(['inspect', folder]);
    expect([inspected.code, inspected.stdout]).toEqual([0, expect.stringMatching(/^prompt .*cannot carry/m)]);
  });

  test('its error has the cause', async () => {
    const error = await Reranker.load(await folderWith(unfit[2]![1])).catch((error: unknown) => error);
    expect(error).toMatchObject({
      cause: { code: 'TEMPLATE_INVALID', cause: { message: expect.stringMatching(/no such role/) as string } },
    });
  });
});

describe('pairs go', () => {
  const files = async (folder: string) => (await readCheckpoint(folder)).template;

  test('through a template of tokenizer_config.json where there is no modules.json', async () => {
    const folder = await folderWith(undefined, { 'tokenizer_config.json': { chat_template: byRole } }, 'seqcls-bf16');
    expect(PromptTemplate.load(await files(folder))!.render('q', 'd')).toBe('[query:q][document:d]');
  });

  test('as two texts where sentence_bert_config.json has no modality_config, or none of messages', async () => {
    for (const modality_config of [undefined, { text: {} }]) {
      const folder = await folderWith(undefined, { 'sentence_bert_config.json': { modality_config } });
      expect((await files(folder)).source).toBeUndefined();
    }
  });

  test("without sentence-transformers' own files where there is no modules.json", async () => {
    const folder = await folderWith(byRole, {
      'config_sentence_transformers.json': { prompts: { p: 'P' }, default_prompt_name: 'p' },
    });
    expect(await files(folder)).toMatchObject({
      isDeclared: true,
      defaultPrompt: 'P',
      variables: { add_generation_prompt: true },
    });
    await rm(join(folder, 'modules.json'));
    const plain = await files(folder);
    expect(plain).toMatchObject({ source: byRole, isDeclared: false, defaultPrompt: undefined });
    expect(plain.variables).not.toHaveProperty('add_generation_prompt');
  });
});

describe('the content of a message', () => {
  const structured = `{%- for m in messages %}[{{ m.role }}:{{ m.content[0].type }}:{{ m.content[0].text }}]{% endfor %}`;

  test('is a list of parts where the format says so, a default prompt too', () => {
    const template = load(structured, { contentFormat: 'structured', defaultPrompt: 'P' });
    expect(template.render('q', 'd')).toBe('[system:text:P][query:text:q][document:text:d]');
  });

  test.each<[format: string | undefined, source: string, expected: string]>([
    ['flat', structured, 'flat'],
    ['structured', byRole, 'structured'],
    ['auto', byRole, 'flat'],
    [undefined, byRole, 'flat'],
    [undefined, structured, 'structured'],
    [undefined, `{% if m['type'] == "x" %}`, 'structured'],
  ])('format %s, template %s: %s', async (format, source, expected) => {
    const folder = await folderWith(source, {
      'sentence_bert_config.json': { modality_config: { message: { format } } },
    });
    expect((await readCheckpoint(folder)).template.contentFormat).toBe(expected);
  });
});

describe('variables', () => {
  test('that nobody sets are none, not undefined', () => {
    const source = `{% if tools is none and documents is none and add_generation_prompt is false %}as in transformers{% endif %}${byRole}`;
    expect(load(source).render('q', 'd')).toBe('as in transformers[query:q][document:d]');
  });

  test('are those of processing_kwargs.chat_template that apply_chat_template() hands on', async () => {
    const chat_template = {
      enable_thinking: false,
      restore_suffix: false,
      max_length: 3,
      truncation: true,
      padding: true,
      return_tensors: 'pt',
    };
    const folder = await folderWith(byRole, { 'sentence_bert_config.json': { processing_kwargs: { chat_template } } });
    const { variables } = (await readCheckpoint(folder)).template;
    expect(Object.keys(variables).filter((name) => !name.endsWith('_token'))).toEqual(['enable_thinking']);
  });

  test('of special tokens come from special_tokens_map.json where tokenizer_config.json has no added_tokens_decoder', async () => {
    const change = {
      'special_tokens_map.json': { bos_token: { content: '<map>' }, eos_token: '<end>' },
      'tokenizer_config.json': { bos_token: '<config>' },
    };
    const folder = await folderWith(byRole, change);
    expect((await readCheckpoint(folder)).template.variables).toMatchObject({ bos_token: '<config>' });
    const path = join(folder, 'tokenizer_config.json');
    await writeFile(path, JSON.stringify({ bos_token: '<config>', sep_token: '<sep>' }));
    expect((await readCheckpoint(folder)).template.variables).toMatchObject({
      bos_token: '<map>',
      eos_token: '<end>',
      sep_token: '<sep>',
    });
  });
});

describe('an instruction', () => {
  test('is no system message where that would push the document out', () => {
    const template = load('[{{ messages[0].content }}|{{ messages[1].content }}]');
    expect(template.hasSystemMessage).toBe(false);
    expect(template.render('q', 'd', 'i')).toBe('[<query>q</query>\n<instruction>i</instruction>|d]');
  });

  test('is refused, not put into the query, where its place in the template cannot be rendered', () => {
    const template = load(
      `{% if messages[0].role == 'system' %}{{ messages[0].content | wordwrap }}{% endif %}${byRole}`,
    );
    expect(template.hasSystemMessage).toBe(true);
    expect(template.render('q', 'd')).toBe('[query:q][document:d]');
    expect(() => template.render('q', 'd', 'i')).toThrow(/cannot be rendered as Jinja2 renders it: \|wordwrap/);
  });

  test('an empty default prompt is no message', async () => {
    const change = { 'config_sentence_transformers.json': { prompts: { p: '' }, default_prompt_name: 'p' } };
    const { template } = await readCheckpoint(await folderWith(byRole, change));
    expect(PromptTemplate.load(template)!.render('q', 'd')).toBe('[query:q][document:d]');
  });

  test('is refused where there is no template', async () => {
    await using reranker = await Reranker.load(golden('seqcls-bf16').folder);
    await expectCode(reranker.predict([['q', 'd']], { instruction: 'i' }), 'INVALID_ARGUMENT', /instruction/);
    expect(await reranker.predict([['q', 'd']], { instruction: ' ' })).toEqual(await reranker.predict([['q', 'd']]));
  });
});

describe('the template that counts', () => {
  const named = [
    { name: 'rerank', template: byRole },
    { name: 'default', template: `default:${byRole}` },
  ];
  /** causal-bf16 says that pairs go through its template. */
  const folder = async (template: string | undefined, tokenizer: object, processing: object = {}) => {
    const path = await folderWith(template, {
      'tokenizer_config.json': tokenizer,
      'sentence_bert_config.json': { processing_kwargs: { chat_template: processing } },
    });
    if (template === undefined) await rm(join(path, 'chat_template.jinja'));
    return path;
  };
  const rendered = async (path: string) => PromptTemplate.load((await readCheckpoint(path)).template)!.render('q', 'd');

  test('is the default one of a list, or the one that processing_kwargs name', async () => {
    expect(await rendered(await folder(undefined, { chat_template: named }))).toMatch(/^default:\[query/);
    const chosen = await folder(undefined, { chat_template: named }, { chat_template: 'rerank' });
    expect(await rendered(chosen)).toMatch(/^\[query/);
    const own = await folder(undefined, { chat_template: named }, { chat_template: `own:${byRole}` });
    expect(await rendered(own)).toMatch(/^own:\[query/);
  });

  test('is a file rather than what tokenizer_config.json holds', async () => {
    expect(await rendered(await folder(`file:${byRole}`, { chat_template: named }))).toMatch(/^file:/);
    const path = await folder(undefined, { chat_template: named }, { chat_template: 'rerank' });
    await mkdir(join(path, 'additional_chat_templates'));
    await writeFile(join(path, 'additional_chat_templates/rerank.jinja'), `file:${byRole}`);
    expect(await rendered(path)).toMatch(/^file:/);
  });

  test('is missed where the folder says that pairs go through one', async () => {
    await expectCode(readCheckpoint(await folder(undefined, {})), 'TEMPLATE_INVALID', /expected chat_template\.jinja/);
    const other = await folder(undefined, { chat_template: [named[0]] });
    await expectCode(readCheckpoint(other), 'TEMPLATE_INVALID', /"rerank", but none that is the default/);
  });

  test.each(['\r\n', '\r'])('has newlines of any system: %j', async (newline) => {
    const source = `{%- for m in messages %}\n[{{ m.role }}\n{{ m.content }}]\n{% endfor %}\n!\n`;
    expect(load(source.replaceAll('\n', newline)).render('q', 'd')).toBe(load(source).render('q', 'd'));
  });
});

test('without a template a default prompt stands before the query, not before complete prompts', async () => {
  const folder = await folderWith(undefined, {
    'sentence_bert_config.json': { modality_config: { text: {} } },
    'config_sentence_transformers.json': { prompts: { p: 'PROMPT: ' }, default_prompt_name: 'p' },
  });
  const checkpoint = await readCheckpoint(folder);
  const options = { maxLength: 100, truncation: 'error', specialTokens: 'parse' } as const;
  const encoded = await pairEncoder(checkpoint).encode([['what is bread', 'bread is food'], 'what is bread'], options);
  const plain = await new Tokenizer(checkpoint.tokenizer).encode([
    'PROMPT: what is bread',
    'bread is food',
    'what is bread',
  ]);
  expect(encoded.map(({ ids }) => ids)).toEqual([[...plain[0]!, ...plain[1]!], plain[2]]);
});

describe('cutting', () => {
  const encoderWith = async (template: string) => {
    const checkpoint = await readCheckpoint(await folderWith(template));
    const tokenizer = new Tokenizer(checkpoint.tokenizer);
    const encoder = pairEncoder(checkpoint);
    const long = 'word '.repeat(50);
    return async (query: string, maxLength: number, instruction?: string) => {
      const [encoded] = await encoder.encode([[query, long]], {
        maxLength,
        truncation: 'document',
        specialTokens: 'text',
        instruction,
      });
      return encoded!.ids
        .map((id) => tokenizer.tokenText(id)!)
        .join('')
        .replaceAll('Ġ', ' ');
    };
  };

  test('keeps a query that stands behind the document', async () => {
    const cut = await encoderWith('D:{{ messages[1].content }}|Q:{{ messages[0].content }}!');
    expect(await cut('bread', 25)).toMatch(/^D:(word )+word\|Q:bread!$/);
    expect(await cut('paint', 25)).toMatch(/\|Q:paint!$/);
    expect(await cut('bread', 60, 'fresh')).toMatch(/\|Q:<query>bread<\/query>Ċ<instruction>fresh<\/instruction>!$/);
  });

  test('keeps an instruction that stands behind the document', async () => {
    const cut = await encoderWith(
      `{% for m in messages if m.role != 'system' %}{{ m.content }}|{% endfor %}{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}!`,
    );
    expect(await cut('q', 25, 'bread')).toMatch(/^q\|word .*\|bread!$/);
    expect(await cut('q', 25, 'paint')).toMatch(/\|paint!$/);
  });
});
