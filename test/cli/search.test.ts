// The command in child processes, with the embedded models.
import { spawnSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { passages } from '../../dist/cli/corpus.js';
import { root, temporaryFolder, zrank } from '../support.js';

const documents = join(root, 'examples/documents.jsonl');
const query = 'how do I keep bread fresh';

describe('zrank search', () => {
  test('searches a .jsonl once, by bi-encoder and reranker', async () => {
    const { code, stdout, stderr } = await zrank(['search', documents, query, '--top', '3', '--json']);
    expect(code).toBe(0);
    const hits = JSON.parse(stdout) as object[];
    expect(hits).toHaveLength(3);
    expect(hits[0]).toMatchObject({
      rank: 1,
      id: 'bread-storage',
      score: expect.any(Number),
      logit: expect.any(Number),
      retrievalRank: expect.any(Number),
      document: { text: expect.stringContaining('bread box') },
    });
    expect(stderr).toContain('10 texts indexed');
  });

  test('answers each line of standard input', async () => {
    const args = ['search', documents, '--no-rerank', '--retriever', 'bm25', '--json', '--top', '1'];
    const { stdout } = await zrank(args, { input: 'bicycle chain\n\nlandlord deposit\nxylophone\n' });
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }[]).map(({ id }) => id)),
    ).toEqual([['bicycle-chain'], ['tenant-deposit'], []]);
  });

  test('searches the texts of a folder, and tells what it leaves out', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'notes/.git'), { recursive: true });
    await writeFile(join(folder, 'notes/bread.md'), '# Bread\n\nStore bread in a paper bag.\n');
    await writeFile(join(folder, 'notes/.git/config'), 'bread');
    await writeFile(join(folder, 'image.bin'), Buffer.from([1, 0, 2]));
    await writeFile(join(folder, 'latin1.txt'), Buffer.from([0x62, 0xe9]));
    const { code, stdout, stderr } = await zrank(['search', folder, 'bread', '--no-rerank', '--retriever', 'bm25']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}1\. {2}\d\.\d{4} {2}notes\/bread\.md:1\n {6}# Bread Store bread in a paper bag\.\n$/);
    expect(stderr).toMatch(
      /image\.bin is left out: not a text\n.*latin1\.txt is left out: not UTF-8\n.*1 text indexed/s,
    );
  });

  test('finds words by their stems where --retriever names a language', async () => {
    const search = (name: string) => zrank(['search', documents, 'bicycles', '--no-rerank', '--retriever', name]);
    expect((await search('bm25')).stdout).toBe('nothing found\n');
    expect((await search('bm25:english')).stdout).toContain('bicycle-chain');
    const { code, stderr } = await search('bm25:klingon');
    expect(code).toBe(2);
    expect(stderr).toMatch(/"english".*but received "klingon" \[INVALID_ARGUMENT\]/);
  });

  test('what cannot be read in a folder does not keep it from the rest', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'ok.txt'), 'fresh bread');
    await writeFile(join(folder, 'packed.txt.gz'), gzipSync('fresh bread'));
    await writeFile(join(folder, 'utf16.txt'), Buffer.from('\ufefffresh bread', 'utf16le'));
    await writeFile(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.of(0xe9)]), 'fresh bread');
    await writeFile(join(folder, 'cut.gz'), gzipSync('fresh bread').subarray(0, 15));
    await symlink('.', join(folder, 'loop'));
    spawnSync('mkfifo', [join(folder, 'pipe')]);
    const args = ['search', folder, 'bread', '--no-rerank', '--retriever', 'bm25', '--json'];
    const { code, stdout, stderr } = await zrank(args);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { id: string }[]).map(({ id }) => id).sort()).toEqual([
      'ok.txt:1',
      'packed.txt.gz:1',
      'utf16.txt:1',
    ]);
    expect([...stderr.matchAll(/(\S+) is left out: (.*)/g)].map(([, path, why]) => [basename(path!), why])).toEqual([
      ['caf\ufffd', 'its name is not UTF-8'],
      ['cut.gz', expect.stringMatching(/^it cannot be decompressed/)],
      ['loop', 'a link'],
      ['pipe', 'no plain file'],
    ]);
  });

  test('reads texts from standard input, packed or not, for a query', async () => {
    const args = ['search', '-', 'bread', '--no-rerank', '--retriever', 'bm25', '--json'];
    for (const input of ['fresh bread\n', gzipSync('{"id": "standard input:1", "text": "fresh bread"}')]) {
      const { stdout } = await zrank(args, { input: input as string });
      expect(JSON.parse(stdout)).toMatchObject([{ id: 'standard input:1' }]);
    }
    expect((await zrank(['search', '-', '--retriever', 'bm25'])).code).toBe(2);
  });

  test('a query that fails is told of, and the session goes on', async () => {
    const input = Buffer.concat([
      Buffer.from('bread\n'),
      Buffer.from([0xff, 0x0a]),
      Buffer.from(`${'bread '.repeat(9000)}\nbicycle\n`),
    ]);
    // A cross-encoder like zrank-small cuts a query that is too long.
    const args = ['search', documents, '--retriever', 'bm25', '--json', '--top', '1', '--model', 'zrank-tiny'];
    const { code, stdout, stderr } = await zrank(args, { input: input as unknown as string });
    expect(code).toBe(1);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      [{ rank: 1 }],
      { error: { code: 'DATA_INVALID' } },
      { error: { code: 'QUERY_TOO_LONG' } },
      [{ id: 'bicycle-chain' }],
    ]);
    expect(stderr).toMatch(/\[DATA_INVALID\]\n.*\[QUERY_TOO_LONG\]\n/);
  });

  test('tells where a hit was before', async () => {
    const { stdout } = await zrank(['search', documents, query, '--retriever', 'bm25', '--top', '2']);
    expect(stdout).toMatch(/^ {2}1\. {2}0\.\d{4} {2}bread-storage {2}\(retrieved as \d+\)\n {6}To keep bread/);
  });

  test.each([
    ['no source', ['/no/such/source', 'x'], 1],
    ['an empty folder', [join(root, 'test/cli/none'), 'x'], 1],
    ['nothing', [], 2],
    ['too much', ['a', 'b', 'c'], 2],
    ['a bad number', [documents, 'x', '--top', 'few'], 2],
  ])('%s', async (_, args, expected) => {
    const { code, stdout } = await zrank(['search', '--retriever', 'bm25', '--no-rerank', ...args]);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
  });

  test('an empty file, and an id that comes twice', async () => {
    const folder = await temporaryFolder();
    const search = (name: string) => zrank(['search', join(folder, name), 'x', '--retriever', 'bm25', '--no-rerank']);
    await writeFile(join(folder, 'empty.txt'), '\n');
    await writeFile(join(folder, 'twice.jsonl'), '{"id":"a","text":"x"}\n{"id":"a","text":"y"}\n');
    expect((await search('empty.txt')).stderr).toContain('[DATA_INVALID]');
    expect((await search('twice.jsonl')).stderr).toContain('[DUPLICATE_ID]');
  });
});

describe('passages', () => {
  const ids = (text: string) => [...passages(text, 'f')].map(({ id }) => id);

  test('short paragraphs stand together, under the line of the first', () => {
    expect([...passages('\n\none\n\ntwo\nlines\n', 'f')]).toEqual([{ id: 'f:3', text: 'one\n\ntwo\nlines' }]);
    expect([...passages(' \n', 'f')]).toEqual([]);
  });

  test('a new passage begins where the next paragraph would be too much', () => {
    const paragraph = 'word '.repeat(120).trim();
    expect(ids([paragraph, paragraph, paragraph].join('\n\n'))).toEqual(['f:1', 'f:3', 'f:5']);
  });

  test('a long paragraph is cut at line ends, at sentence ends, at words, or anywhere, and nothing is lost', () => {
    const lines = Array.from({ length: 50 }, (_, i) => `line number ${i} of a long paragraph`).join('\n');
    const sentences = 'This is a sentence of some length. '.repeat(80).trim();
    for (const text of [lines, sentences, 'word '.repeat(500).trim(), 'x'.repeat(2500)]) {
      const parts = [...passages(text, 'f')];
      expect(parts.length).toBeGreaterThan(1);
      expect(Math.max(...parts.map((part) => part.text.length))).toBeLessThanOrEqual(1000);
      expect(
        parts
          .map((part) => part.text)
          .join('')
          .replace(/\s/g, ''),
      ).toBe(text.replace(/\s/g, ''));
      expect(new Set(parts.map(({ id }) => id)).size).toBe(parts.length);
    }
    const faces = [...passages('👨‍👩‍👧'.repeat(300), 'f')].map(({ text }) => text);
    expect(faces.every((text) => /^(👨‍👩‍👧)+$/u.test(text))).toBe(true);
    expect(ids(lines)[1]).toBe(`f:${[...passages(lines, 'f')][0]!.text.split('\n').length + 1}#2`);
  });
});
