// Documents of files, by name and by content.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openDocuments } from '../../dist/files/documents.js';
import { expectCode, temporaryFolder } from '../support.js';

async function open(name: string, content: string | Uint8Array) {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return openDocuments(path);
}

async function documentsOf(name: string, content: string | Uint8Array): Promise<object[]> {
  const opened = await open(name, content);
  const documents: object[] = [];
  if (opened.format !== 'json') expect.unreachable('it is a text');
  else for await (const { document } of opened.documents) documents.push(document);
  return documents;
}

const lines = '{"id": 7, "text": "a", "title": null}\n\n{"_id": "b", "title": "T", "text": "\\u2028"}\n"c"\n';
const array = '[\n{"id": 7, "text": "a"}, {"_id": "b", "title": "T", "text": "\\u2028"},\n"c"]';
test.each<[string, string | Uint8Array]>([
  ['d.jsonl', lines],
  ['d.JSONL', `\ufeff${lines}`],
  ['d.ndjson', lines.replaceAll('\n', '\r\n')],
  ['d.jsonl.gz', gzipSync(lines)],
  ['d.jsonl.gz', lines],
  ['d.json', array],
  ['d.json', lines],
  ['d.Json.gz', gzipSync(array)],
  ['d', lines],
  ['d.gz', gzipSync(array)],
  ['d', `\n ${array}`],
])('%s holds documents of JSON', async (name, content) => {
  expect(await documentsOf(name, content)).toEqual([
    { id: '7', text: 'a' },
    { id: 'b', title: 'T', text: '\u2028' },
    { text: 'c' },
  ]);
});

test.each([
  ['d.txt', '{"text": "a"}'],
  ['d', 'plain'],
  ['d', '[1] Smith et al.'],
  ['d', '"Quoted", she said'],
  ['d', ''],
])('%s with %j is a text', async (name, content) => {
  expect((await open(name, content)).format).toBe('text');
});

test('an empty .json or .jsonl holds no documents', async () => {
  for (const name of ['d.json', 'd.jsonl', 'd.jsonl.gz']) expect(await documentsOf(name, '\n')).toEqual([]);
  expect(await documentsOf('d.json', '[]')).toEqual([]);
});

test.each([
  ['d.json', '[\n{"text": "a"},\n]', 'JSON_INVALID', /d\.json:3: not JSON: column 1: Unexpected token /],
  ['d.json', '[\n// a\n"a"]', 'JSON_INVALID', /d\.json:2: not JSON: column 1: Unexpected character/],
  ['d.json', '[\n"a"', 'JSON_INVALID', /d\.json:2: not JSON: column 4: Expected ',' or '\]'/],
  ['d', '[\n"a",\n]', 'JSON_INVALID', /d:3: /],
  [
    'd.jsonl',
    '"a"\n{"text": "a",}\n',
    'JSON_INVALID',
    /d\.jsonl:2: not JSON: column 14: Expected double-quoted property name/,
  ],
  ['d.json', '{\n"a": 1}', 'DATA_INVALID', /holds no array of documents/],
  ['d.json', '["a", 2]', 'DATA_INVALID', /d\.json: document 2: expected a string or an object with the string "text"/],
  ['d.jsonl', '{"contents": "a", "id": 1}', 'DATA_INVALID', /"text" but received one with "contents", "id"$/],
  ['d.jsonl', '{"text": null}', 'DATA_INVALID', /d\.jsonl:1: expected a string for text/],
  ['d.jsonl', '{"text": "", "title": 3}', 'DATA_INVALID', /d\.jsonl:1: expected a string for title/],
  ['d.jsonl', '{"text": "", "id": {"$oid": "a"}}', 'DATA_INVALID', /d\.jsonl:1: expected a string, or a whole number/],
  ['d.jsonl', '{"text": "", "id": 9007199254740993}', 'DATA_INVALID', /below 2\^53, for id/],
] as const)('refuses %s with %j', async (name, content, code, message) => {
  await expectCode(documentsOf(name, content), code, message);
});
