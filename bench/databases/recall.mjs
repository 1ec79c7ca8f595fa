// How fast a database's index is, and how much of what exact search finds: vectors in clusters, texts of common and rare
// words. Prints a line a setting: milliseconds of a search one after the other, and recall@100 against the exact one.
// node bench/databases/recall.mjs pgvector|lancedb [--vectors 50000] [--dimensions 128] [--queries 100]
//   [--at-once 1000]   (documents of an add())
//   pgvector: PGHOST, PGUSER and so on name the server; the table zrank_bench is made and dropped.
//   lancedb: the package is taken from where it is installed, --packages .cache/lancedb
//   --kinds: indexes to measure, of all, separated by commas

import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../dist/random.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    vectors: { type: 'string', default: '50000' },
    dimensions: { type: 'string', default: '128' },
    queries: { type: 'string', default: '100' },
    packages: { type: 'string', default: '.cache/lancedb' },
    kinds: { type: 'string' },
    'at-once': { type: 'string', default: '1000' },
  },
});
const [count, dimensions, queryCount] = ['vectors', 'dimensions', 'queries'].map((name) => Number(values[name]));
const found = 100;
const documentsAtOnce = Number(values['at-once']);

const random = seededRandom(1);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const centres = Array.from({ length: 500 }, () => Float32Array.from({ length: dimensions }, normal));
/** Near one of the centres, and wide enough that clusters meet. */
function vectorOf() {
  const centre = centres[Math.floor(random() * centres.length)];
  return centre.map((value) => value + 1.5 * normal());
}
/** Of 20 words, the first of which are common (Zipf). */
const text = () => Array.from({ length: 20 }, () => `word${Math.floor(20_000 ** random())}`).join(' ');

/** What the encoder of each text is asked for next, in order. */
const pending = [];
const encoder = { dimensions, similarity: 'cosine', encode: async (texts) => pending.splice(0, texts.length) };

const database = positionals[0] === 'lancedb' ? await openLance() : await openPostgres();
const start = performance.now();
for (let done = 0; done < count; done += documentsAtOnce) {
  const documents = Array.from({ length: Math.min(documentsAtOnce, count - done) }, (_, i) => ({
    id: `${done + i}`,
    text: text(),
    metadata: { part: (done + i) % 10 },
  }));
  pending.push(...documents.map(vectorOf));
  await database.retriever.add(documents);
}
console.log(`${count} vectors of ${dimensions}: added in ${seconds(start)} s`);
const queries = Array.from({ length: queryCount }, () => ({
  vector: vectorOf(),
  text: text().split(' ').slice(0, 4).join(' '),
}));
const exact = await measure('exact', database.retriever);
for (const { name, build, searches } of database.indexes) {
  if (values.kinds && !values.kinds.split(',').includes(name)) continue;
  const begun = performance.now();
  await build();
  console.log(`${name}: built in ${seconds(begun)} s`);
  for (const options of searches) {
    const setting = Object.entries(options).map((entry) => entry.join(' '));
    await measure([name, ...setting].join(', '), await database.open(options), exact);
  }
}
await database.close();

/** Searches; returns the sets of what was found. */
async function measure(name, retriever, truth) {
  const times = [];
  const sets = [];
  for (const { vector, text } of queries) {
    pending.push(vector);
    const begun = performance.now();
    const hits = await retriever.search(text, found);
    times.push(performance.now() - begun);
    sets.push(new Set(hits.map(({ id }) => id)));
  }
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(part * (times.length - 1))].toFixed(1);
  const recall =
    truth &&
    sets.reduce((sum, set, i) => sum + [...truth[i]].filter((id) => set.has(id)).length / found, 0) / sets.length;
  const said = recall === undefined || name.includes('hybrid') ? '' : `, recall@${found} ${recall.toFixed(3)}`;
  console.log(`${name}: median ${at(0.5)} ms, p99 ${at(0.99)} ms${said}`);
  return sets;
}

function seconds(begun) {
  return ((performance.now() - begun) / 1000).toFixed(1);
}

async function openPostgres() {
  const { default: pg } = await import('pg');
  const { PgVectorRetriever } = await import('zrank/pgvector');
  const pool = new pg.Pool();
  const table = 'zrank_bench';
  await pool.query(`DROP TABLE IF EXISTS ${table}`);
  const open = (options) => PgVectorRetriever.open({ pool, encoder, table, mode: 'dense', ...options });
  const retriever = await open({});
  const build = (kind) => () => retriever.buildIndex({ kind });
  const flat = [1, 5, 20, 50].map((probes) => ({ probes }));
  const hnsw = [100, 200, 400].map((efSearch) => ({ efSearch }));
  return {
    retriever,
    open,
    indexes: [
      { name: 'ivfflat', build: build('ivfflat'), searches: flat },
      { name: 'hnsw', build: build('hnsw'), searches: [...hnsw, { mode: 'hybrid', efSearch: 200 }] },
    ],
    async close() {
      await pool.query(`DROP TABLE ${table}`);
      await pool.end();
    },
  };
}

async function openLance() {
  const lancedb = createRequire(join(resolve(values.packages), 'package.json'))('@lancedb/lancedb');
  const { LanceRetriever } = await import('zrank/lancedb');
  const uri = mkdtempSync(join(tmpdir(), 'zrank-lance-'));
  const open = (options) => LanceRetriever.open({ lancedb, uri, encoder, ...options });
  const retriever = await open({});
  const build = (kind) => () => retriever.buildIndex({ kind });
  return {
    retriever,
    open,
    indexes: [
      { name: 'ivf-flat', build: build('ivf-flat'), searches: [5, 20, 50].map((probes) => ({ probes })) },
      { name: 'ivf-pq', build: build('ivf-pq'), searches: [1, 10, 30].map((refine) => ({ probes: 50, refine })) },
      { name: 'hnsw-sq', build: build('hnsw-sq'), searches: [200, 400].map((efSearch) => ({ efSearch })) },
    ],
    close: async () => rmSync(uri, { recursive: true }),
  };
}
