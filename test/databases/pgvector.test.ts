// zrank/pgvector. Real: Postgres with pgvector (postgres.ts says which), the pipeline around it. Doubles: an encoder that
// counts words, one that gives vectors by text, and a reranker that prefers short documents.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HybridRetriever, reciprocalRankFusion, RetrieveAndRerank } from 'zrank';
import { PgVectorRetriever, type PgVectorOptions, type StoredDocument } from 'zrank/pgvector';
import { seededRandom } from '../../dist/random.js';
import { expectCode } from '../support.js';
import { shortestFirst, WordCounter } from '../retrieval/doubles.js';
import { Given, idsOf, pets } from './doubles.js';
import { startPostgres, type TestPostgres } from './postgres.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
  console.log(`on ${postgres.name}`);
});
afterAll(() => postgres?.stop());

let tables = 0;
let table = '';
beforeEach(() => {
  table = `documents_${++tables}`;
});

const open = (options: Partial<PgVectorOptions> = {}) =>
  PgVectorRetriever.open({ pool: postgres.pool, encoder: new WordCounter(), table, mode: 'dense', ...options });

test('documents are found, best first, and kept for other connections', async () => {
  const retriever = await open();
  await retriever.add(pets);
  expect(retriever.size).toBe(4);
  const hits = await retriever.search('cat', 3);
  expect(idsOf(hits).slice(0, 2)).toEqual(['a', 'b']);
  expect(hits[0]!.score).toBeCloseTo(1, 6);
  expect(hits[1]!.score).toBeCloseTo(Math.SQRT1_2, 6);
  const other = await open();
  expect(other.size).toBe(4);
  expect(await other.search('cat', 3)).toEqual(hits);
  expect(await other.documents(['d', 'none', 'a'])).toEqual([pets[3], undefined, pets[0]]);
  expect([await other.has('a'), await other.has('x')]).toEqual([true, false]);
});

test('the cosine with a vector of zeros is 0', async () => {
  const retriever = await open();
  await retriever.add(pets);
  expect((await retriever.search('bird', 4)).map(({ score }) => score)).toEqual([0, 0, 0, 0]);
});

test.each([
  ['cosine', [1, 0], ['long', 'short', 'other']],
  ['dot', [1, 0], ['long', 'other', 'short']],
  ['euclidean', [1, 0], ['short', 'other', 'long']],
] as const)('by %s', async (similarity, query, order) => {
  const vectors = new Map([
    ['short', Float32Array.of(0.5, 0.1)],
    ['long', Float32Array.of(4, 0.1)],
    ['other', Float32Array.of(0.7, 0.7)],
    ['?', Float32Array.from(query)],
  ]);
  const retriever = await open({ encoder: new Given(vectors, similarity) });
  await retriever.add(['short', 'long', 'other'].map((id) => ({ id, text: id })));
  expect(idsOf(await retriever.search('?', 3))).toEqual(order);
});

describe('adding and removing is all or nothing', () => {
  test('an id that is there already, or comes twice', async () => {
    const retriever = await open();
    await retriever.add(pets.slice(0, 2));
    await expectCode(retriever.add(pets.slice(1)), 'DUPLICATE_ID');
    await expectCode(retriever.add([pets[2]!, pets[2]!]), 'DUPLICATE_ID');
    expect([retriever.size, await retriever.has('c')]).toEqual([2, false]);
  });

  test('an id that is not there', async () => {
    const retriever = await open();
    await retriever.add(pets);
    await expectCode(retriever.remove(['a', 'x']), 'UNKNOWN_ID', /x/);
    await expectCode(retriever.remove(['a', 'a']), 'DUPLICATE_ID');
    expect([retriever.size, await retriever.has('a')]).toEqual([4, true]);
    await retriever.remove(['a', 'c']);
    expect([retriever.size, await retriever.has('a')]).toEqual([2, false]);
    expect(idsOf(await retriever.search('cat', 5))).toEqual(['b', 'd']);
  });

  test('what Postgres cannot store', async () => {
    const retriever = await open();
    await expectCode(retriever.add([pets[0]!, { id: 'nul', text: 'a\0b' }]), 'DATA_INVALID', /U\+0000/);
    await expectCode(retriever.add([{ id: '', text: '' }]), 'INVALID_ARGUMENT');
    await expectCode(retriever.add([{ id: 'n', text: 5 } as any]), 'INVALID_ARGUMENT');
    expect((await open()).size).toBe(0);
  });

  test('upsert puts documents in the place of those of before', async () => {
    const retriever = await open({ mode: 'hybrid' });
    await retriever.add(pets);
    await retriever.upsert([
      { id: 'c', text: 'cat cat', metadata: { kind: 'cat' } },
      { id: 'e', text: 'one more cat' },
    ]);
    expect(retriever.size).toBe(5);
    expect(await retriever.documents(['c', 'e'])).toEqual([
      { id: 'c', text: 'cat cat', metadata: { kind: 'cat' } },
      { id: 'e', text: 'one more cat', metadata: {} },
    ]);
    const { rows } = await postgres.pool.query(`SELECT id FROM ${table} WHERE words @@ to_tsquery('fish')`);
    expect(rows).toEqual([]);
    await expectCode(retriever.upsert([pets[0]!, pets[0]!]), 'DUPLICATE_ID');
  });
});

test('a filter chooses among the documents, by metadata', async () => {
  for (const mode of ['dense', 'hybrid'] as const) {
    table = `filtered_${mode}`;
    const retriever = await open({ mode });
    await retriever.add(pets);
    expect(idsOf(await retriever.search('cat dog', 5, { filter: { kind: 'dog' } })).toSorted()).toEqual(['b', 'd']);
    expect(idsOf(await retriever.search('cat dog', 5, { filter: { kind: 'dog', year: 2 } }))).toEqual(['d']);
    expect(await retriever.search('cat', 5, { filter: { kind: "'; DROP TABLE x; --" } })).toEqual([]);
    expect(await retriever.search('cat', 5, { filter: {} })).toHaveLength(4);
    await expectCode(retriever.search('cat', 5, { filter: 'kind = 1' as any }), 'INVALID_ARGUMENT');
  }
});

describe('hybrid', () => {
  test('fuses the nearest vectors with full text as reciprocalRankFusion() does', async () => {
    const random = seededRandom(1);
    const words = ['amber', 'birch', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'heath'];
    const texts = Array.from({ length: 200 }, (_, i) => {
      const chosen = words.filter(() => random() < 0.3);
      return `${chosen.join(' ')} number${i}`;
    });
    const query = 'which amber and fjord';
    const vectors = new Map(
      [...texts, query].map((text) => [text, Float32Array.of(random() - 0.5, random(), random())]),
    );
    const encoder = new Given(vectors);
    const dense = await open({ encoder });
    await dense.add(texts.map((text, i) => ({ id: `${i}`, text })));
    const hybrid = await open({ encoder, mode: 'hybrid', depth: 50 });
    const nearest = await dense.search(query, 50);
    const { rows } = await postgres.pool.query(
      `SELECT id, 0 AS score FROM ${table} WHERE words @@ to_tsquery('english', 'amber | fjord')
       ORDER BY ts_rank_cd(words, to_tsquery('english', 'amber | fjord')) DESC, id LIMIT 50`,
    );
    const expected = reciprocalRankFusion([nearest, rows]);
    const found = await hybrid.search(query, 50);
    expect(found).toHaveLength(50);
    const scores = new Map(expected.map(({ id, score }) => [id, score]));
    for (const [i, { id, score }] of found.entries()) {
      expect(score).toBeCloseTo(scores.get(id)!, 12);
      expect(score).toBeCloseTo(expected[i]!.score, 12);
    }
  });

  test('words that no vector knows are found, in another language too', async () => {
    const retriever = await open({ mode: 'hybrid', language: 'german' });
    await retriever.add([...pets, { id: 'g', text: 'der Vertrag über die Häuser' }]);
    expect((await retriever.search('Haus', 5))[0]!.id).toBe('g');
    expect(await retriever.search('', 5)).toHaveLength(5);
    expect(await retriever.search("'; \0 \\ & | ! <-> (", 5)).toHaveLength(5);
  });
});

describe('names and texts are never read as SQL', () => {
  const nasty = `it's "a" \\ name; DROP TABLE x --`;

  test('of tables, schemas, ids, queries and metadata', async () => {
    await postgres.pool.query(`CREATE SCHEMA IF NOT EXISTS "odd"" schema"`);
    const retriever = await open({ table: nasty, schema: 'odd" schema', mode: 'hybrid' });
    await retriever.add([
      { id: nasty, title: nasty, text: `${nasty} cat`, metadata: { [nasty]: nasty } },
      { id: '{"a","b"}', text: 'NULL' },
      { id: 'NULL', text: '\\N' },
    ]);
    await retriever.buildIndex();
    const [hit] = await retriever.search(`${nasty} cat`, 1, { filter: { [nasty]: nasty } });
    expect(hit!.id).toBe(nasty);
    expect(await retriever.documents([nasty, '{"a","b"}', 'NULL'])).toEqual([
      { id: nasty, title: nasty, text: `${nasty} cat`, metadata: { [nasty]: nasty } },
      { id: '{"a","b"}', text: 'NULL', metadata: {} },
      { id: 'NULL', text: '\\N', metadata: {} },
    ]);
    await retriever.remove([nasty, 'NULL']);
    expect((await open({ table: nasty, schema: 'odd" schema' })).size).toBe(1);
  });

  test('of languages', async () => {
    await expectCode(open({ language: "english'); DROP TABLE x; --" }), 'DATABASE_FAILED', /invalid name syntax/);
  });
});

describe('an index', () => {
  const random = seededRandom(7);
  const vectors = new Map(
    Array.from({ length: 1000 }, (_, i) => [`${i}`, Float32Array.from({ length: 16 }, () => random() - 0.5)] as const),
  );
  const encoder = new Given(vectors);

  test.each([
    ['hnsw', { efSearch: 200 }, { kind: 'hnsw', m: 12, efConstruction: 80 }],
    ['ivfflat', { probes: 10 }, { kind: 'ivfflat', lists: 20 }],
  ] as const)('%s is used, and finds nearly what exact search finds', async (kind, settings, options) => {
    const exact = await open({ encoder });
    await exact.add([...vectors.keys()].map((id) => ({ id, text: id })));
    const queries = Array.from({ length: 20 }, (_, i) => `${i * 7}`);
    const expected = await Promise.all(queries.map((query) => exact.search(query, 20)));
    await exact.buildIndex(options);
    await exact.buildIndex(options);
    const { rows } = await postgres.pool.query(`SELECT indexdef FROM pg_indexes WHERE tablename = $1`, [table]);
    expect(rows.filter(({ indexdef }) => indexdef.includes(`USING ${kind}`))).toHaveLength(1);
    const indexed = await open({ encoder, ...settings });
    const found = await Promise.all(queries.map((query) => indexed.search(query, 20)));
    const recalls = found.map((hits, i) => hits.filter(({ id }) => idsOf(expected[i]!).includes(id)).length / 20);
    expect(recalls.reduce((sum, recall) => sum + recall) / 20).toBeGreaterThan(0.85);
    const few = await open({ encoder, [kind === 'hnsw' ? 'efSearch' : 'probes']: 1 });
    const worse = await Promise.all(queries.map((query) => few.search(query, 20)));
    const hitsOf = (lists: { id: string }[][]) =>
      lists.reduce((sum, hits, i) => sum + hits.filter(({ id }) => idsOf(expected[i]!).includes(id)).length, 0);
    // So the setting reaches the index, and the index is what answers.
    if (postgres.name !== 'PGlite') expect(hitsOf(worse)).toBeLessThan(hitsOf(found));
  });
});

describe('what does not fit is refused', () => {
  test('a table of other dimensions, of another encoder, of other columns', async () => {
    await open({ encoder: Object.assign(new WordCounter(), { fingerprint: { model: 'one', hash: 'hash-1' } }) });
    const wider = new Given(new Map([['x', new Float32Array(5)]]));
    await expectCode(open({ encoder: wider }), 'INDEX_INVALID', /vector\(5\).*vector\(3\)/);
    const other = Object.assign(new WordCounter(), { fingerprint: { model: 'two', hash: 'hash-2' } });
    await expectCode(open({ encoder: other }), 'INDEX_INVALID', /another encoder than two/);
    await postgres.pool.query(`CREATE TABLE ${table}_plain (id int)`);
    await expectCode(open({ table: `${table}_plain` }), 'INDEX_INVALID', /column id/);
  });

  test('options', async () => {
    await expectCode(open({ tables: 'x' } as any), 'INVALID_ARGUMENT', /no option "tables"/);
    await expectCode(open({ pool: {} as any }), 'INVALID_ARGUMENT', /a pool of pg/);
    await expectCode(open({ encoder: undefined as any }), 'INVALID_ARGUMENT', /an encoder/);
    await expectCode(open({ table: '' }), 'INVALID_ARGUMENT');
    await expectCode(open({ mode: 'sparse' as any }), 'INVALID_ARGUMENT');
    const manhattan = Object.assign(new WordCounter(), { similarity: 'manhattan' as const });
    await expectCode(open({ encoder: manhattan }), 'ARCHITECTURE_UNSUPPORTED');
    const retriever = await open();
    await expectCode(retriever.search('cat', 0), 'INVALID_ARGUMENT');
    await expectCode(retriever.buildIndex({ kind: 'tree' as any }), 'INVALID_ARGUMENT');
  });

  test('a server that fails, with its words', async () => {
    const query = async () => Promise.reject(new Error('the server is gone'));
    await expectCode(open({ pool: { query, connect: query } }), 'DATABASE_FAILED', /Postgres: the server is gone/);
    const retriever = await open({ efSearch: 5000 });
    await retriever.add(pets);
    await expectCode(retriever.search('cat', 1), 'DATABASE_FAILED', /ef_search/);
    expect(await (await open()).search('cat', 1)).toHaveLength(1);
  });
});

test('an aborted search ends at once', async () => {
  const retriever = await open();
  await retriever.add(pets);
  await expectCode(retriever.search('cat', 1, { signal: AbortSignal.abort() }), 'ABORTED');
  const controller = new AbortController();
  const slow: PgVectorOptions['pool'] = {
    connect: () => postgres.pool.connect(),
    query: (text, values) =>
      text.includes('near')
        ? new Promise(() => setTimeout(() => controller.abort(), 20))
        : postgres.pool.query(text, values),
  };
  await expectCode((await open({ pool: slow })).search('cat', 1, { signal: controller.signal }), 'ABORTED');
});

test('a pipeline searches what the database keeps, without holding the documents itself', async () => {
  const retriever = await open({ mode: 'hybrid' });
  await new RetrieveAndRerank({ retriever, reranker: shortestFirst }).index(pets);
  const pipeline = new RetrieveAndRerank<StoredDocument>({
    retriever: await open({ mode: 'hybrid' }),
    reranker: shortestFirst,
  });
  expect(pipeline.size).toBe(4);
  const hits = await pipeline.search('dog', { filter: { kind: 'dog' } });
  expect(hits.map(({ id, document, rank }) => [id, document, rank])).toEqual([
    ['d', pets[3], 1],
    ['b', pets[1], 2],
  ]);
  expect(await pipeline.index([...pets, { id: 'e', text: 'dog dog' }], { known: 'keep' })).toBe(5);
  await expectCode(pipeline.index(pets), 'DUPLICATE_ID');
  await pipeline.remove(['e']);
  expect(pipeline.size).toBe(4);
  const fused = new HybridRetriever({ retrievers: [retriever] });
  await expectCode(fused.add(pets), 'DUPLICATE_ID');
});
