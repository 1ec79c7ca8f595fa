import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLines } from '../../dist/files/lines.js';
import { readQrels, writeQrels } from '../../dist/evaluation/qrels.js';
import { compareUtf8, rankDocuments } from '../../dist/evaluation/rank.js';
import { readRun, writeRun } from '../../dist/evaluation/run.js';
import { writePieces } from '../../dist/evaluation/score-table.js';
import { toTable } from './tables.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-evaluation-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('readQrels', () => {
  const expected = toTable({ '10': { d1: 2, 'é\u00a0x': -1 }, '9': { d1: 0 } });

  test.each([
    ['TREC', 'qrels', '10 0 d1 2\n10 0 é\u00a0x -1\n9 0 d1 0\n'],
    [
      'TREC with tabs, spaces, blank lines, comments and CRLF',
      'qrels',
      '# made by hand\r\n\r\n10\t0  d1\t2\r\n \n10 0 é\u00a0x -1 \n# end\n9 0 d1 +0',
    ],
    ['BEIR', 'test.tsv', 'query-id\tcorpus-id\tscore\n10\td1\t2\n10\té\u00a0x\t-1\n9\td1\t0\n'],
    ['BEIR without a header, grades as 2.0', 'test.tsv', '10\td1\t2.0\r\n10\té\u00a0x\t-1\n\n9\td1\t0'],
    ['JSON', 'qrels.json', '{"10": {"d1": 2, "é\u00a0x": -1}, "9": {"d1": 0}}'],
    [
      'JSON with a byte order mark, known by its brace',
      'qrels',
      '\ufeff\n{"10":\n{"d1": 2, "é\u00a0x": -1}, "9": {"d1": 0}}',
    ],
  ])('%s', async (_, name, content) => {
    expect(await readQrels(await file(name, content))).toEqual(expected);
  });

  test.each([
    ['BEIR', 'spaces.tsv', 'Query-ID\tcorpus-id\tscore\nq 1\t7 Samurai\t1\n'],
    ['BEIR without a header', 'spaces.tsv', 'q 1\t7 Samurai\t1\n'],
    ['TREC parted by tabs', 'spaces', 'q 1\t0\t7 Samurai\t1\n'],
  ])('ids may hold spaces: %s', async (_, name, content) => {
    expect(await readQrels(await file(name, content))).toEqual(toTable({ 'q 1': { '7 Samurai': 1 } }));
  });

  test('without a header and .tsv, ids of two words are read as BEIR, an iteration and a word as TREC', async () => {
    expect(await readQrels(await file('qrels', 'q1\tNew York\t1\n'))).toEqual(toTable({ q1: { 'New York': 1 } }));
    expect(await readQrels(await file('qrels', 'q1\t0 York\t1\n'))).toEqual(toTable({ q1: { York: 1 } }));
  });

  test.each([
    ['a column too few', '1 0 a 1\n1 0 b\n', 'DATA_INVALID', ':2: expected the four columns'],
    ['a column too many', '1 0 a 1 x\n', 'DATA_INVALID', ':1: expected the four columns'],
    ['a grade that is no number', '1 0 a 1\n\n1 0 b high\n', 'DATA_INVALID', ':3: expected a whole number'],
    ['a grade with a fraction', '1 0 a 1.5\n', 'DATA_INVALID', ':1: expected a whole number'],
    ['a document twice', '1 0 a 1\n2 0 a 1\n1 0 a 1\n', 'DUPLICATE_ID', ':3: document a is listed twice for query 1'],
    [
      'a BEIR line of two columns',
      'query-id\tcorpus-id\tscore\n1\ta\n',
      'DATA_INVALID',
      ':2: expected the three columns',
    ],
    ['an empty BEIR id', 'query-id\tcorpus-id\tscore\n1\t\t1\n', 'DATA_INVALID', ':2: expected the three columns'],
    ['nothing', '# no judgements\n', 'DATA_INVALID', 'holds no judgements'],
  ])('refuses %s', async (_, content, code, message) => {
    await expect(readQrels(await file('bad', content))).rejects.toMatchObject({
      name: 'ZrankError',
      code,
      message: expect.stringContaining(message),
    });
  });

  test.each([
    ['{"1": {"a": 1}', 'JSON_INVALID'],
    ['[1]', 'DATA_INVALID'],
    ['{"1": ["a"]}', 'DATA_INVALID'],
    ['{"1": {"a": 1.5}}', 'DATA_INVALID'],
    ['{}', 'DATA_INVALID'],
    ['{"1": {"a": {"b": 1}}}', 'DATA_INVALID'],
    ['{"1": {"a": 1, "a": 0}}', 'DUPLICATE_ID'],
    ['{"1": {"a": 1}, "1": {"b": 1}}', 'DUPLICATE_ID'],
    ['{"1": {"a": 1},}', 'JSON_INVALID'],
  ])('refuses the JSON %s', async (content, code) => {
    await expect(readQrels(await file('bad.json', content))).rejects.toMatchObject({ code });
  });
});

describe('readRun', () => {
  test('ignores the rank, columns after the tag, comments and blank lines', async () => {
    const path = await file(
      'run',
      '1 Q0 a 9 1e-3 tag\n\n#1 Q0 z 1 1 tag\n1\tQ0  b\t1\t-.5 \t tag more columns\r\n2 Q0 a 1 inf tag\n',
    );
    expect(await readRun(path)).toEqual(toTable({ '1': { a: 0.001, b: -0.5 }, '2': { a: Infinity } }));
  });

  test('ids hold spaces where tabs part the columns', async () => {
    const path = await file('run', 'q 1\tQ0\tNew York\t1\t2.5\tmy run\n');
    expect(await readRun(path)).toEqual(toTable({ 'q 1': { 'New York': 2.5 } }));
  });

  test('JSON keeps the order of ids that look like numbers, which ranx breaks ties by', async () => {
    const run = await readRun(await file('run.json', '{"10": {"10": 1, "9": 1}, "2": {"__proto__": 1}}'));
    expect([...run].map(([query, scores]) => [query, ...scores.keys()])).toEqual([
      ['10', '10', '9'],
      ['2', '__proto__'],
    ]);
    expect(rankDocuments('10', run.get('10')!, 'ranx').map(({ document }) => document)).toEqual(['10', '9']);
  });

  test.each([
    ['an id with a space', '1 Q0 New York 1 2.5 t\n', 'DATA_INVALID', ':1: expected a number for the rank'],
    ['a column too few', '1 Q0 a 1 2.5\n', 'DATA_INVALID', ':1: expected the six columns'],
    [
      'a score that is NaN',
      '1 Q0 a 1 1 t\n1 Q0 b 2 NaN t\n',
      'DATA_INVALID',
      ':2: expected a number for the score but received "NaN"',
    ],
    ['a score that is no number', '1 Q0 a 1 0x10 t\n', 'DATA_INVALID', ':1: expected a number'],
    ['a document twice', '1 Q0 a 1 2 t\n1 Q0 a 2 1 t\n', 'DUPLICATE_ID', ':2: document a is listed twice for query 1'],
    ['nothing', '\n', 'DATA_INVALID', 'holds no results'],
  ])('refuses %s', async (_, content, code, message) => {
    await expect(readRun(await file('bad', content))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test('names a file that is missing or is a folder', async () => {
    const path = join(folder, 'none');
    await expect(readRun(path)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', message: `there is no file ${path}` });
    await expect(readRun(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(readRun(folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});

describe('writing', () => {
  test('a run reads back as the same doubles, best first', async () => {
    const scores = { a: 0.1 + 0.2, b: 1 / 3, c: Math.fround(-7.7), d: 5e-324, e: 1.7976931348623157e308, f: -Infinity };
    const path = join(folder, 'written.trec');
    await writeRun(path, toTable({ q2: scores, q1: { x: 1 } }), { tag: 'mine' });
    const read = await readRun(path);
    expect(read).toEqual(toTable({ q2: scores, q1: { x: 1 } }));
    expect([...read.get('q2')!.keys()]).toEqual(['e', 'b', 'a', 'd', 'c', 'f']);
    const lines: string[] = [];
    for await (const { text } of readLines(path)) lines.push(text);
    expect(lines[1]).toBe('q2 Q0 b 2 0.3333333333333333 mine');
  });

  test('qrels read back', async () => {
    const path = join(folder, 'written.qrels');
    const qrels = toTable({ q2: { a: 3, b: -1 }, q1: { é: 0 } });
    await writeQrels(path, qrels);
    expect(await readQrels(path)).toEqual(qrels);
  });

  test('a write that fails leaves the file as it was, and no other', async () => {
    const path = await file('whole.trec', 'as it was');
    const run = toTable({ q: { a: 1 } });
    for (const target of [join(path, 'inside a file'), folder])
      await expect(writeRun(target, run)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    const pieces = function* () {
      yield 'half';
      throw new Error('no more');
    };
    await expect(writePieces(path, pieces())).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    expect(await readFile(path, 'utf8')).toBe('as it was');
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test.each([
    ['a query id with a space', { 'q 1': { a: 1 } }],
    ['a document id with a tab', { q: { 'a\tb': 1 } }],
    ['an empty document id', { q: { '': 1 } }],
    ['a query id that reads as a comment', { '#1': { a: 1 } }],
    ['a score that is NaN', { q: { a: NaN } }],
  ])('refuses %s', async (_, plain) => {
    const path = await file('kept', 'as it was');
    await expect(writeRun(path, toTable(plain))).rejects.toMatchObject({ code: 'DATA_INVALID' });
    expect(await readFile(path, 'utf8')).toBe('as it was');
  });

  test('refuses a tag with a space, a grade with a fraction and a folder that is not there', async () => {
    const run = toTable({ q: { a: 1 } });
    await expect(writeRun(join(folder, 'bad'), run, { tag: 'my run' })).rejects.toMatchObject({ code: 'DATA_INVALID' });
    await expect(writeQrels(join(folder, 'bad'), toTable({ q: { a: 0.5 } }))).rejects.toMatchObject({
      code: 'DATA_INVALID',
    });
    await expect(writeQrels(join(folder, 'none', 'qrels'), run)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});

describe('rankDocuments', () => {
  test('orders ids as their UTF-8 bytes do', () => {
    const ids = [
      '',
      'a',
      'aa',
      'B',
      'é',
      'z',
      '10',
      '9',
      '\uff5a',
      '\ue000',
      '\u{1f600}',
      '\u{1f601}',
      '\u{10ffff}',
      'a\u{1f600}',
    ];
    for (const a of ids) {
      for (const b of ids) {
        expect(Math.sign(compareUtf8(a, b)), `${a} and ${b}`).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }
    }
  });

  test('puts the greater id first in a tie, 0 and -0 being one', () => {
    const scores = new Map([
      ['9', 0],
      ['10', -0],
      ['\u{1f600}', 0],
      ['\uff5a', 0],
      ['top', 1],
    ]);
    const order = rankDocuments('q', scores, 'trec').map(({ document }) => document);
    expect(order).toEqual(['top', '\u{1f600}', '\uff5a', '9', '10']);
  });
});
