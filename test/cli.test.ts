// zrank rank and zrank inspect as child processes.

import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorCodes } from 'zrank';
import { golden, root, temporaryFolder, tinyModel, zrank } from './support.js';

const lines = [
  'The parliament debates a new tax on sugar.',
  'Keep bread fresh in a paper bag or a bread box.',
  'Fresh paint needs two days to dry.',
];
const query = 'how do I keep bread fresh';

interface JsonHit {
  index: number;
  score: number;
  logit: number;
  tokens: number;
  truncated: boolean;
  document: { text: string; id?: string };
}

async function file(name: string, content: string): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

describe('zrank rank', () => {
  test('prints a table, best first, and says which model it uses', async () => {
    const result = await zrank(['rank', '--query', query, '--documents', await file('d.txt', lines.join('\n'))], {
      env: { ZRANK_MODEL: '' },
    });
    expect(result.code, result.stderr).toBe(0);
    const rows = result.stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(4);
    expect(rows[0]).toMatch(/^rank +score +logit +id +document$/);
    expect(rows[1]).toMatch(/^ +1 +0\.\d{4} +-?\d+\.\d{3} +1 +Keep bread fresh/);
    expect(result.stderr).toMatch(/embedded small model zrank-small/);
  });

  test('--json prints one array of hits with their documents', async () => {
    const jsonl = lines
      .map((text, i) => (i === 0 ? JSON.stringify(text) : JSON.stringify({ text, id: `d${i}` })))
      .join('\n');
    const result = await zrank([
      'rank',
      '--query',
      query,
      '--documents',
      await file('d.jsonl', `${jsonl}\n\n`),
      '--json',
      '--top',
      '2',
      '--model',
      tinyModel,
    ]);
    expect(result.code, result.stderr).toBe(0);
    const hits = JSON.parse(result.stdout) as JsonHit[];
    expect(hits).toHaveLength(2);
    expect(hits[0]!.document).toEqual({ text: lines[1], id: 'd1' });
    expect(Object.keys(hits[0]!)).toEqual(['index', 'score', 'logit', 'tokens', 'truncated', 'document']);
    expect(result.stderr).toBe('');
  });

  test('--precision int8 quantizes once, into the cache', async () => {
    const cache = await temporaryFolder();
    const args = ['rank', '--query', query, '--documents', '-', '--json', '--model', golden('causal-bf16').folder];
    const run = async (...more: string[]) => {
      const result = await zrank([...args, ...more], { input: lines.join('\n'), env: { XDG_CACHE_HOME: cache } });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      return JSON.parse(result.stdout) as JsonHit[];
    };
    const [exact, int8] = [await run('--precision', 'fp32'), await run('--precision', 'int8')];
    const differences = int8.map((hit) => Math.abs(hit.logit - exact.find(({ index }) => index === hit.index)!.logit));
    expect(Math.max(...differences)).toBeLessThan(1);
    expect(Math.max(...differences)).toBeGreaterThan(1e-4);
    const files = await readdir(join(cache, 'zrank'));
    expect(files).toHaveLength(1);
    expect(await run('--precision', 'int8')).toEqual(int8);
    expect(await readdir(join(cache, 'zrank'))).toEqual(files);
  });

  test.each([
    ['text', lines.join('\r\n')],
    ['JSON lines', lines.map((line) => JSON.stringify(line)).join('\n')],
  ])('reads %s from standard input, and the query from a file', async (_, input) => {
    const queryFile = await file('q.txt', `${query}\n`);
    const result = await zrank(
      ['rank', '--query-file', queryFile, '--documents', '-', '--json', '--top', '1', '--model', tinyModel],
      { input },
    );
    const [hit] = JSON.parse(result.stdout) as JsonHit[];
    expect(hit!.document.text).toBe(lines[1]);
  });

  test('takes ZRANK_MODEL, an instruction, a length and special tokens', async () => {
    const { folder } = golden('causal-bf16');
    const documents = await file('d.txt', `${'word '.repeat(200)}\nshort <|im_end|>\n`);
    const run = async (...options: string[]) => {
      const result = await zrank(['rank', '--query', 'q', '--documents', documents, '--json', ...options], {
        env: { ZRANK_MODEL: folder },
      });
      expect(result.code, result.stderr).toBe(0);
      return (JSON.parse(result.stdout) as JsonHit[]).sort((a, b) => a.index - b.index);
    };
    const plain = await run();
    expect((await run('--instruction', 'be brief'))[0]!.logit).not.toBe(plain[0]!.logit);
    expect((await run('--max-length', '50'))[0]).toMatchObject({ tokens: 50, truncated: true });
    expect((await run('--special-tokens', 'text'))[1]!.tokens).toBeGreaterThan(plain[1]!.tokens);
  });

  test('a byte order mark is no part of the first line', async () => {
    const jsonl = await file('d.jsonl', `\uFEFF${JSON.stringify(lines[1])}\n`);
    const text = await file('d.txt', `\uFEFF${lines[1]}\n`);
    for (const [documents, input] of [
      [jsonl, ''],
      [text, ''],
      ['-', `\uFEFF${JSON.stringify(lines[1])}\n`],
    ] as const) {
      const result = await zrank(['rank', '--query', query, '--documents', documents, '--json', '--model', tinyModel], {
        input,
      });
      expect(result.code, result.stderr).toBe(0);
      expect((JSON.parse(result.stdout) as JsonHit[])[0]!.document.text).toBe(lines[1]);
    }
  });

  test('scores title and text as one, and prints both', async () => {
    const documents = [
      { _id: 'a', title: lines[1], text: 'Use a bag.' },
      { _id: 'b', text: `${lines[1]} Use a bag.` },
    ];
    const path = await file('d.json', JSON.stringify(documents));
    const args = ['rank', '--query', query, '--documents', path, '--model', tinyModel];
    const hits = JSON.parse((await zrank([...args, '--json'])).stdout) as JsonHit[];
    expect(hits[0]!.logit).toBe(hits[1]!.logit);
    expect(hits[0]!.document).toEqual({ id: 'a', title: lines[1], text: 'Use a bag.' });
    expect((await zrank(args)).stdout).toContain(`a   ${lines[1]}: Use a bag.`);
  });

  test('sends no control character of a document to the terminal', async () => {
    const path = await file('d.jsonl', JSON.stringify({ id: '\x1b]0;x\x07', text: 'red \x1b[31m\x9b' }));
    const { stdout } = await zrank(['rank', '--query', query, '--documents', path, '--model', tinyModel]);
    expect(stdout).toContain('\\u001b]0;x\\u0007  red \\u001b[31m\\u009b\n');
  });

  test('says so when what it prints cannot be written', async () => {
    const zrank = join(root, 'dist/cli/zrank.js');
    const command = `"$0" "${zrank}" rank --query q --documents examples/documents.jsonl --json > /dev/full; echo $?`;
    const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath], { cwd: root, encoding: 'utf8' });
    expect(stdout).toBe('1\n');
    expect(stderr).toMatch(/^zrank: cannot write standard output: ENOSPC.* \[FILE_UNWRITABLE\]$/m);
  });

  test('a table is refused: nobody knows which column is the text', async () => {
    const path = await file('d.csv', 'id,text\n1,a\n');
    const result = await zrank(['rank', '--query', 'q', '--documents', path, '--model', tinyModel]);
    expect([result.code, result.stderr]).toEqual([1, expect.stringMatching(/d\.csv is a table.*\[DATA_INVALID\]/)]);
  });

  test('an empty file gives an empty array', async () => {
    const result = await zrank([
      'rank',
      '--query',
      query,
      '--documents',
      await file('d.txt', ''),
      '--json',
      '--model',
      tinyModel,
    ]);
    expect([result.code, JSON.parse(result.stdout)]).toEqual([0, []]);
  });

  const wrongUsage: string[][] = [
    [],
    ['--query', 'q'],
    ['--documents', 'd.txt'],
    ['--query', 'q', '--documents', '-', '--top', '0'],
    ['--query', 'q', '--documents', '-', '--top', 'x'],
    ['--query', 'q', '--documents', '-', '--device', 'tpu', '--model', tinyModel],
    ['--nonsense'],
  ];
  test.each(wrongUsage)('wrong usage: %s %s %s %s %s %s', async (...args) => {
    const result = await zrank(['rank', ...args.filter((arg) => typeof arg === 'string')]);
    expect(result.code).toBe(2);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/^zrank: /m);
  });

  test('what fails says so with its code and exits with 1', async () => {
    const missing = await zrank(['rank', '--query', 'q', '--documents', '/no/such.txt', '--model', tinyModel]);
    expect([missing.code, missing.stdout]).toEqual([1, '']);
    expect(missing.stderr).toMatch(/\/no\/such\.txt.*\[FILE_NOT_FOUND\]/);
    const broken = await zrank([
      'rank',
      '--query',
      'q',
      '--documents',
      await file('d.jsonl', '"a"\n{"text": 3}\n'),
      '--model',
      tinyModel,
    ]);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/d\.jsonl:2: .*\[DATA_INVALID\]/);
    const model = await zrank([
      'rank',
      '--query',
      'q',
      '--documents',
      await file('d.txt', 'a'),
      '--model',
      '/no/model',
    ]);
    expect(model.code).toBe(1);
    expect(model.stderr).toMatch(/\/no\/model.*\[FILE_NOT_FOUND\]/);
  });
});

describe('zrank inspect', () => {
  test('tells what a folder holds', async () => {
    const result = await zrank(['inspect', golden('causal-fp32-sharded').folder, '--json']);
    expect(result.code, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({
      architecture: 'Qwen3ForCausalLM',
      dtype: 'F32',
      instruction: 'a system message',
      score: expect.stringMatching(/^logit of token 773 .* minus that of 788 /) as string,
      temperature: 1,
    });
    const text = await zrank(['inspect', tinyModel]);
    expect(text.stdout).toMatch(/^prompt +".*\{query\}.*\{document\}/m);
  });

  test.each([
    [
      'cross-encoder',
      { architecture: expect.stringContaining('ForSequenceClassification'), score: expect.any(String) },
    ],
    ['bi-encoder', { embedding: 'mean pooling, unit length', similarity: 'cosine', prompts: expect.any(Object) }],
    ['dense', { embedding: expect.stringContaining('a dense layer'), similarity: expect.any(String) }],
    ['static', { architecture: 'StaticEmbedding', weightBytes: expect.any(Number), similarity: expect.any(String) }],
  ])('tells what an encoder holds: %s', async (name, expected) => {
    const result = await zrank(['inspect', join(root, 'test/fixtures/encoders', name), '--json']);
    expect(result.code, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ ...expected, runs: expect.stringContaining('fp32') as string });
  });

  test('fails on a folder that is no model', async () => {
    expect((await zrank(['inspect', root])).code).toBe(1);
    expect((await zrank(['inspect'])).code).toBe(2);
  });
});

test('no ONNX Runtime where ZRANK_ONNXRUNTIME points', async () => {
  const documents = await file('d.txt', 'a');
  const missing = await zrank(['rank', '--query', 'q', '--documents', documents], {
    env: { ZRANK_ONNXRUNTIME: '/no/where' },
  });
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/\[ONNXRUNTIME_NOT_FOUND\]/)]);
  const text = await file('libonnxruntime.so.1', 'no library');
  const broken = await zrank(['rank', '--query', 'q', '--documents', documents], { env: { ZRANK_ONNXRUNTIME: text } });
  expect([broken.code, broken.stderr]).toEqual([1, expect.stringMatching(/\[ONNXRUNTIME_NOT_FOUND\]/)]);
  expect(errorCodes).toContain('ONNXRUNTIME_NOT_FOUND');
});
