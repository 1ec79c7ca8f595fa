import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BeirDataset, openBeir } from 'zrank';
import { toTable } from './tables.js';

let folder: string;
const good = {
  'corpus.jsonl':
    '{"_id": "d1", "title": "One", "text": "first\u2028line", "metadata": {}}\n{"_id": "d2", "text": ""}\n',
  'queries.jsonl': '{"_id": "q1", "text": "what?"}\n{"_id": "q2", "text": "not of this split"}\n',
  'qrels/test.tsv': 'query-id\tcorpus-id\tscore\nq1\td1\t2\n',
  'qrels/dev.tsv': 'query-id\tcorpus-id\tscore\nq2\td2\t1\n',
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-beir-'));
  await mkdir(join(folder, 'qrels'));
  for (const [name, content] of Object.entries(good)) await writeFile(join(folder, name), content);
});
afterEach(() => rm(folder, { recursive: true }));

async function read(dataset: BeirDataset) {
  const documents = [];
  for await (const document of dataset.documents()) documents.push(document);
  return documents;
}

describe('openBeir', () => {
  test('reads the queries of the split, its qrels, and the corpus as often as asked', async () => {
    const dataset = await openBeir(folder);
    expect(dataset).toMatchObject({ folder, split: 'test' });
    expect(dataset.queries).toEqual(new Map([['q1', 'what?']]));
    expect(dataset.qrels).toEqual(toTable({ q1: { d1: 2 } }));
    const documents = [
      { id: 'd1', title: 'One', text: 'first\u2028line' },
      { id: 'd2', title: '', text: '' },
    ];
    expect(await read(dataset)).toEqual(documents);
    expect(await read(dataset)).toEqual(documents);
  });

  test('reads compressed files, ids that are numbers and ids called id', async () => {
    for (const name of Object.keys(good)) await rm(join(folder, name));
    const write = (name: string, content: string) => writeFile(join(folder, name), gzipSync(content));
    await write('corpus.jsonl.gz', '{"_id": 7, "id": 1, "text": "a", "title": null}\n{"id": "d2", "text": "b"}\n');
    await write('queries.jsonl.gz', '\ufeff{"_id": 10, "text": "what?"}\r\n');
    await write('qrels/test.tsv.gz', '10\t7\t1\n');
    const dataset = await openBeir(folder);
    expect(dataset.queries).toEqual(new Map([['10', 'what?']]));
    expect((await read(dataset)).map(({ id }) => id)).toEqual(['7', 'd2']);
    await expect(openBeir(folder, { split: 'dev' })).rejects.toMatchObject({
      message: expect.stringMatching(/splits in the folder: test$/),
    });
  });

  test('reads another split', async () => {
    expect((await openBeir(folder, { split: 'dev' })).queries).toEqual(new Map([['q2', 'not of this split']]));
  });

  test('names the splits that there are', async () => {
    await expect(openBeir(folder, { split: 'train' })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringMatching(/train\.tsv; splits in the folder: (dev, test|test, dev)$/),
    });
  });

  test('says that a folder is no BEIR folder', async () => {
    await expect(openBeir(join(folder, 'none'))).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining('is no BEIR folder'),
    });
  });

  test('gives a document before the file is read to its end', async () => {
    await writeFile(join(folder, 'corpus.jsonl'), `${good['corpus.jsonl']}{"_id":`);
    const documents = (await openBeir(folder)).documents();
    expect((await documents.next()).value).toMatchObject({ id: 'd1' });
    await documents.return();
  });

  test.each([
    [
      'queries.jsonl',
      '{"_id": "q1", "text": "a"}\n{"_id": "q1", "text": "b"}\n',
      'DUPLICATE_ID',
      'queries.jsonl:2: _id q1',
    ],
    ['queries.jsonl', '{"_id": "q1", "text": "a"}\n{oops\n', 'JSON_INVALID', 'queries.jsonl:2: '],
    ['queries.jsonl', '\n', 'DATA_INVALID', 'holds no queries'],
    [
      'queries.jsonl',
      '{"_id": "q2", "text": ""}\n',
      'UNKNOWN_ID',
      'judges 1 queries that queries.jsonl does not have: q1',
    ],
    ['qrels/test.tsv', 'query-id\tcorpus-id\tscore\nq1\td1\n', 'DATA_INVALID', 'test.tsv:2: '],
    ['qrels/test.tsv', 'query-id\tcorpus-id\tscore\n', 'DATA_INVALID', 'holds no judgements'],
  ])('refuses a bad %s: %j', async (name, content, code, message) => {
    await writeFile(join(folder, name), content);
    await expect(openBeir(folder)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test.each([
    ['', 'DATA_INVALID', 'holds no documents'],
    ['{"_id": "d1", "text": ""}\n\n{"_id": "d1", "text": ""}\n', 'DUPLICATE_ID', 'corpus.jsonl:3: _id d1'],
    ['{"_id": [1], "text": ""}\n', 'DATA_INVALID', ':1: expected a string, or a whole number below 2^53, for _id'],
    ['{"_id": 12345678901234567890, "text": ""}\n', 'DATA_INVALID', 'for _id but received "12345678901234567000"'],
    ['{"_id": null, "text": ""}\n', 'DATA_INVALID', ':1: expected an object with an "_id"'],
    [
      '{"_id": "d1", "body": ""}\n',
      'DATA_INVALID',
      ':1: expected an object with the string "text" but received one with "_id", "body"',
    ],
    ['{"_id": "d1", "text": null}\n', 'DATA_INVALID', ':1: expected a string for text but received "null"'],
    ['{"_id": "d1", "text": "", "title": 1}\n', 'DATA_INVALID', ':1: expected a string for title'],
    ['["d1"]\n', 'DATA_INVALID', ':1: expected a JSON object'],
    ['{"_id": "d2", "text": ""}\n', 'UNKNOWN_ID', 'test.tsv judges 1 documents that corpus.jsonl does not have: d1'],
  ])('refuses the corpus %j', async (content, code, message) => {
    await writeFile(join(folder, 'corpus.jsonl'), content);
    const dataset = await openBeir(folder);
    await expect(read(dataset)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('keeps unknown ids when told to', async () => {
    await writeFile(join(folder, 'qrels/test.tsv'), 'query-id\tcorpus-id\tscore\nq1\tgone\t1\ngone\td1\t1\n');
    const dataset = await openBeir(folder, { unknownIds: 'keep' });
    expect(await read(dataset)).toHaveLength(2);
    expect(dataset.qrels).toEqual(toTable({ q1: { gone: 1 }, gone: { d1: 1 } }));
    await expect(openBeir(folder, { unknownIds: 'drop' as 'keep' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
