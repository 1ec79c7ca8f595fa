// The command in child processes, with the embedded models, on datasets of a few documents.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { evaluate, readQrels, readRun } from 'zrank';
import { root, temporaryFolder, zrank } from '../support.js';

const corpus = [
  { _id: 'd1', title: 'Bread', text: 'store bread in a paper bag to keep it fresh' },
  { _id: 'd2', text: 'the price of bread rose' },
  { _id: 'd3', text: 'fresh flowers need water' },
  { _id: 'd4', text: 'a bicycle chain needs oil' },
];
const queries = [
  { _id: 'q1', text: 'how to keep bread fresh' },
  { _id: 'q2', text: 'oil for a bicycle <chain> & more' },
];

async function dataset({
  docs = corpus as object[],
  qrels = 'q1\td1\t2\nq1\td2\t0\nq2\td4\t1\n',
  name = 'tiny',
} = {}): Promise<string> {
  const folder = join(await temporaryFolder(), name);
  await mkdir(join(folder, 'qrels'), { recursive: true });
  const lines = (records: object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('');
  await writeFile(join(folder, 'corpus.jsonl'), lines(docs));
  await writeFile(join(folder, 'queries.jsonl'), lines(queries));
  await writeFile(join(folder, 'qrels/test.tsv'), `query-id\tcorpus-id\tscore\n${qrels}`);
  return folder;
}

test('a table on stdout, and on stderr what was done', async () => {
  const { code, stdout, stderr } = await zrank([
    'eval',
    await dataset(),
    '--retriever',
    'bm25',
    '--measures',
    'ndcg@10,map',
  ]);
  expect(code).toBe(0);
  const [head, row, blank, next] = stdout.split('\n');
  expect(head).toMatch(/^ndcg@10 +queries +before +after +change +95 % interval +p$/);
  const [value, change] = [String.raw`[01]\.\d{4}`, String.raw`[+-]\d\.\d{4}`];
  expect(row).toMatch(new RegExp(`^tiny +2  ${value}  ${value}  ${change}  ${change} to ${change}  ${value}$`));
  expect([blank, next]).toEqual(['', expect.stringMatching(/^map /)]);
  expect(stderr).toMatch(/before: BM25, the best 50; after: the same documents by zrank-small; convention trec/);
  expect(stderr).toMatch(/pairs scored in/);
});

test('JSON, runs and report hold the same figures', async () => {
  const out = await temporaryFolder();
  const folder = await dataset();
  const { code, stdout } = await zrank([
    'eval',
    folder,
    '--json',
    '--candidates',
    '3',
    '--run-out',
    join(out, 'runs'),
    '--report',
    join(out, 'report.html'),
  ]);
  expect(code).toBe(0);
  const summary = JSON.parse(stdout) as {
    datasets: { documents: number; pairs: number; measures: Record<string, { before: number; after: number }> }[];
  };
  expect(summary).toMatchObject({
    retriever: 'zrank-tiny-retriever',
    reranker: 'zrank-small',
    candidates: 3,
    convention: 'trec',
    split: 'test',
    datasets: [{ name: 'tiny', documents: 4, queries: 2, pairs: 6 }],
    overall: { queries: 2 },
  });
  const qrels = await readQrels(join(folder, 'qrels/test.tsv'));
  for (const stage of ['before', 'after'] as const) {
    const { measures } = evaluate(qrels, await readRun(join(out, `runs/tiny.${stage}.trec`)));
    expect(summary.datasets[0]!.measures['ndcg@10']![stage]).toBeCloseTo(measures['ndcg@10']!, 12);
  }
  const page = await readFile(join(out, 'report.html'), 'utf8');
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).not.toMatch(/https?:|<script|<link|@import|NaN|undefined/);
  expect(page.match(/<svg/g)).toHaveLength(4);
  expect(page).toContain('oil for a bicycle &#60;chain&#62; &#38; more');
});

test('the embedded datasets: a row each, and one over all', { timeout: 180_000 }, async () => {
  const { code, stdout } = await zrank(
    ['eval', '--retriever', 'hybrid', '--candidates', '10', '--measures', 'ndcg@10'],
    { deadlineMs: 170_000 },
  );
  expect(code).toBe(0);
  expect(
    stdout
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(/\s+/).slice(0, 2)),
  ).toEqual([
    ['code', '18'],
    ['everyday', '18'],
    ['finance', '18'],
    ['legal', '18'],
    ['all', '72'],
  ]);
});

test('a query that is too long is named and counts in neither order', async () => {
  const folder = await dataset();
  const long = { _id: 'q2', text: 'bread '.repeat(9000) };
  await writeFile(join(folder, 'queries.jsonl'), [queries[0]!, long].map((query) => JSON.stringify(query)).join('\n'));
  const { code, stdout, stderr } = await zrank([
    'eval',
    folder,
    '--retriever',
    'bm25',
    '--reranker',
    'zrank-tiny',
    '--json',
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    datasets: [{ queries: 2, failed: [{ query: 'q2', code: 'QUERY_TOO_LONG' }] }],
    overall: { queries: 1 },
  });
  expect(stderr).toMatch(/^zrank: tiny: query q2 failed and counts in neither order: .* \[QUERY_TOO_LONG\]$/m);
});

test('--run-out refuses an id that a run cannot carry, before anything is scored', async () => {
  const folder = await dataset({ docs: [...corpus, { _id: 'New York', text: 'x' }] });
  const out = join(await temporaryFolder(), 'runs');
  const refused = await zrank(['eval', folder, '--retriever', 'bm25', '--run-out', out]);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/document id "New York" \[DATA_INVALID\]/);
  expect((await zrank(['eval', folder, '--retriever', 'bm25'])).code).toBe(0);
});

test.each([
  ['no such folder', async () => '/no/such/folder', 'FILE_NOT_FOUND'],
  ['a folder without datasets', async () => join(root, 'docs'), 'FILE_NOT_FOUND'],
  ['an empty corpus', () => dataset({ docs: [] }), 'DATA_INVALID'],
  ['a document twice', () => dataset({ docs: [...corpus, corpus[0]!] }), 'DUPLICATE_ID'],
  ['qrels of an unknown document', () => dataset({ qrels: 'q1\tnone\t1\n' }), 'UNKNOWN_ID'],
  ['qrels of an unknown query', () => dataset({ qrels: 'none\td1\t1\n' }), 'UNKNOWN_ID'],
] as [string, () => Promise<string>, string][])('%s ends with 1 and the code', async (_, make, errorCode) => {
  const folder = await make();
  const { code, stdout, stderr } = await zrank(['eval', folder, '--retriever', 'bm25']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(`[${errorCode}]`);
});

test("--ignore-identical-ids leaves out the query's own document", async () => {
  const docs = [...corpus, { _id: 'q1', text: 'how to keep bread fresh' }];
  const args = ['eval', await dataset({ docs }), '--retriever', 'bm25', '--measures', 'mrr'];
  expect((await zrank(args)).stdout).toMatch(/tiny +2 {2}0\.7500/);
  const { stdout, stderr } = await zrank([...args, '--ignore-identical-ids']);
  expect(stdout).toMatch(/tiny +2 {2}1\.0000/);
  expect(stderr).toContain("documents whose id is the query's are left out");
});

test('--keep-unknown counts documents that the corpus lacks as not found', async () => {
  const folder = await dataset({ qrels: 'q1\td1\t1\nq1\tnone\t1\n' });
  const { stdout } = await zrank(['eval', folder, '--retriever', 'bm25', '--keep-unknown', '--measures', 'recall@10']);
  expect(stdout).toMatch(/tiny +1 {2}0\.5000 {2}0\.5000/);
});

test.each([
  [['a', 'b']],
  [['a', '--candidates', '0']],
  [['a', '--measures', 'speed']],
  [['a', '--convention', 'mine']],
  [['a', '--what']],
])('wrong usage %o ends with 2', async (args) => {
  expect((await zrank(['eval', ...args])).code).toBe(2);
});

test('--help', async () => {
  const { code, stdout } = await zrank(['eval', '--help']);
  expect(code).toBe(0);
  for (const option of [
    'retriever',
    'reranker',
    'candidates',
    'measures',
    'convention',
    'split',
    'json',
    'report',
    'run-out',
  ])
    expect(stdout).toContain(`--${option}`);
});
