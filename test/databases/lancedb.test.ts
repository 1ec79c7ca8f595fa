// zrank/lancedb. Real: LanceDB, where it is installed, its files, the pipeline around it. Doubles: an encoder that counts
// words, one that gives vectors by text, and a reranker that prefers short documents. LanceDB brings 500 MB of other
// packages along, so it is none of this project's: .ci/run puts it into .cache/lancedb.

import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RetrieveAndRerank } from 'zrank';
import { LanceRetriever, type LanceModule, type LanceOptions, type StoredDocument } from 'zrank/lancedb';
import { seededRandom } from '../../dist/random.js';
import { expectCode, root, temporaryFolder } from '../support.js';
import { shortestFirst, WordCounter } from '../retrieval/doubles.js';
import { Given, idsOf, pets } from './doubles.js';

const packages = join(root, '.cache/lancedb/package.json');
const lancedb = existsSync(packages)
  ? (createRequire(packages)('@lancedb/lancedb') as LanceModule)
  : (undefined as unknown as LanceModule);
if (!lancedb)
  console.warn(
    'no LanceDB: npm install --prefix .cache/lancedb --omit=optional @lancedb/lancedb @lancedb/lancedb-linux-x64-gnu apache-arrow@18',
  );

const open = async (options: Partial<LanceOptions> = {}) => {
  const retriever = await LanceRetriever.open({
    lancedb,
    uri: await temporaryFolder(),
    encoder: new WordCounter(),
    ...options,
  });
  onTestFinished(() => retriever.close());
  return retriever;
};

const columns = ['kind', 'year'];

describe.skipIf(!lancedb)('a table of LanceDB', () => {
  test('documents are found, best first, and are there when it is opened again', async () => {
    const uri = await temporaryFolder();
    const retriever = await open({ uri });
    expect([retriever.size, await retriever.has('a'), await retriever.search('cat', 3)]).toEqual([0, false, []]);
    await retriever.add(pets);
    const hits = await retriever.search('cat', 3);
    expect(idsOf(hits).slice(0, 2)).toEqual(['a', 'b']);
    expect(hits[0]!.score).toBeCloseTo(1, 6);
    expect(hits[1]!.score).toBeCloseTo(Math.SQRT1_2, 6);
    const other = await open({ uri });
    expect(other.size).toBe(4);
    expect(await other.search('cat', 3)).toEqual(hits);
    expect(await other.documents(['d', 'none', 'a'])).toEqual([pets[3], undefined, pets[0]]);
    expect([await other.has('a'), await other.has('x')]).toEqual([true, false]);
  });

  test.each([
    ['cosine', ['long', 'short', 'other'], 0.9997],
    ['dot', ['long', 'other', 'short'], 4],
    ['euclidean', ['short', 'other', 'long'], -Math.hypot(0.5, 0.1)],
  ] as const)('by %s', async (similarity, order, best) => {
    const vectors = new Map([
      ['short', Float32Array.of(0.5, 0.1)],
      ['long', Float32Array.of(4, 0.1)],
      ['other', Float32Array.of(0.7, 0.7)],
      ['?', Float32Array.of(1, 0)],
    ]);
    const retriever = await open({ encoder: new Given(vectors, similarity) });
    await retriever.add(['short', 'long', 'other'].map((id) => ({ id, text: id })));
    const hits = await retriever.search('?', 3);
    expect(idsOf(hits)).toEqual(order);
    expect(hits[0]!.score).toBeCloseTo(best, 4);
  });

  test('adding, replacing and removing is all or nothing', async () => {
    const retriever = await open();
    await retriever.add(pets.slice(0, 2));
    await expectCode(retriever.add(pets.slice(1)), 'DUPLICATE_ID');
    await expectCode(retriever.add([pets[2]!, pets[2]!]), 'DUPLICATE_ID');
    await expectCode(retriever.add([pets[2]!, { id: 'n', text: 5 } as any]), 'INVALID_ARGUMENT');
    expect([retriever.size, await retriever.has('c')]).toEqual([2, false]);
    await expectCode(retriever.remove(['a', 'x']), 'UNKNOWN_ID', /x/);
    await retriever.upsert([{ id: 'a', text: 'fish fish' }, pets[3]!]);
    expect([retriever.size, await retriever.documents(['a'])]).toEqual([
      3,
      [{ id: 'a', text: 'fish fish', metadata: {} }],
    ]);
    expect(idsOf(await retriever.search('fish', 1))).toEqual(['a']);
    await retriever.remove(['a', 'b']);
    expect([retriever.size, await retriever.has('a')]).toEqual([1, false]);
    expect(idsOf(await retriever.search('cat dog', 5))).toEqual(['d']);
  });

  test('additions at once are made one after the other', async () => {
    const retriever = await open();
    const results = await Promise.allSettled([retriever.add(pets), retriever.add(pets), retriever.upsert(pets)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(retriever.size).toBe(4);
  });

  test('a filter chooses among the documents, by columns', async () => {
    const retriever = await open({ columns });
    await retriever.add(pets);
    expect(idsOf(await retriever.search('cat dog', 5, { filter: "kind = 'dog'" })).toSorted()).toEqual(['b', 'd']);
    expect(idsOf(await retriever.search('cat dog', 5, { filter: "kind = 'dog' AND year > 1" }))).toEqual(['d']);
    await expectCode(retriever.search('cat', 5, { filter: 'colour = 1' }), 'DATABASE_FAILED', /colour/);
    await expectCode(retriever.search('cat', 5, { filter: {} as any }), 'INVALID_ARGUMENT');
    await expectCode(retriever.add([{ id: 'e', text: 'no kind' }]), 'INVALID_ARGUMENT', /kind of document e/);
  });

  test('ids are never read as SQL', async () => {
    const retriever = await open();
    const ids = [`it's "a" \\ ') OR 1=1 --`, "''", 'id', '\u0000', '🍞'];
    await retriever.add([...pets, ...ids.map((id) => ({ id, text: `${id} cat` }))]);
    expect((await retriever.documents(ids)).map((document) => document?.id)).toEqual(ids);
    await retriever.remove(ids.slice(0, 2));
    expect([retriever.size, await retriever.has(ids[2]!)]).toEqual([7, true]);
  });

  test.each([
    ['ivf-flat', { probes: 8 }, 0.9],
    ['ivf-pq', { probes: 8, refine: 10 }, 0.8],
    ['hnsw-sq', { efSearch: 200, probes: 8 }, 0.8],
  ] as const)(
    'an index of kind %s finds nearly what exact search finds, and what comes later',
    async (kind, settings, least) => {
      const random = seededRandom(7);
      const vectors = new Map<string, Float32Array>(
        Array.from(
          { length: 1000 },
          (_, i) => [`${i}`, Float32Array.from({ length: 16 }, () => random() - 0.5)] as const,
        ),
      );
      vectors.set('late', vectors.get('7')!);
      const uri = await temporaryFolder();
      const exact = await open({ uri, encoder: new Given(vectors) });
      await exact.add([...vectors.keys()].filter((id) => id !== 'late').map((id) => ({ id, text: id })));
      const queries = Array.from({ length: 20 }, (_, i) => `${i * 7}`);
      const expected = await Promise.all(queries.map((query) => exact.search(query, 20)));
      await exact.buildIndex({ kind, partitions: 8 });
      const indexed = await open({ uri, encoder: new Given(vectors), ...settings });
      const found = await Promise.all(queries.map((query) => indexed.search(query, 20)));
      const recalls = found.map((hits, i) => hits.filter(({ id }) => idsOf(expected[i]!).includes(id)).length / 20);
      expect(recalls.reduce((sum, recall) => sum + recall) / 20).toBeGreaterThan(least);
      await indexed.add([{ id: 'late', text: 'late' }]);
      expect(idsOf(await indexed.search('7', 2)).toSorted()).toEqual(['7', 'late']);
      const connection = await lancedb.connect(uri);
      const table = (await connection.openTable('documents')) as any;
      expect((await table.listIndices()).map(({ columns }: any) => columns[0]).toSorted()).toEqual(['id', 'vector']);
      connection.close();
    },
  );

  test('what does not fit is refused', async () => {
    const uri = await temporaryFolder();
    await (await open({ uri })).add(pets);
    const wider = new Given(new Map([['x', new Float32Array(5)]]));
    await expectCode(open({ uri, encoder: wider }), 'INDEX_INVALID', /5 dimensions.*found 3/);
    await expectCode(open({ uri, columns }), 'INDEX_INVALID', /lacks kind, year/);
    await expectCode(open({ uri, tables: 'x' } as any), 'INVALID_ARGUMENT', /no option "tables"/);
    await expectCode(open({ uri, columns: ['id'] }), 'INVALID_ARGUMENT');
    const manhattan = Object.assign(new WordCounter(), { similarity: 'manhattan' as const });
    await expectCode(open({ encoder: manhattan }), 'ARCHITECTURE_UNSUPPORTED');
    const empty = await open();
    await expectCode(empty.buildIndex(), 'DATA_INVALID');
    await expectCode(empty.search('cat', 0), 'INVALID_ARGUMENT');
    await expectCode(empty.search('cat', 1, { signal: AbortSignal.abort() }), 'ABORTED');
  });

  test('a pipeline searches what the table keeps, without holding the documents itself', async () => {
    const uri = await temporaryFolder();
    await new RetrieveAndRerank({ retriever: await open({ uri, columns }), reranker: shortestFirst }).index(pets);
    const retriever = await open({ uri, columns });
    const pipeline = new RetrieveAndRerank<StoredDocument>({ retriever, reranker: shortestFirst });
    const hits = await pipeline.search('dog', { filter: "kind = 'dog'" });
    expect(hits.map(({ id, document, rank }) => [id, document, rank])).toEqual([
      ['d', pets[3], 1],
      ['b', pets[1], 2],
    ]);
  });
});

test('without the module, the error says so', async () => {
  const options = { uri: 'x', encoder: new WordCounter() };
  await expectCode(LanceRetriever.open(options as any), 'INVALID_ARGUMENT', /the module @lancedb\/lancedb/);
});
