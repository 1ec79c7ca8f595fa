// What a cache of scores saves where queries repeat themselves: each query of a replay is ranked twice, by a reranker with a
// cache and by one without, in turns and in the same process. Prints the time of both and their ratio, the hit rate, and
// the largest difference of two scores.
// node bench/cache/replay.mjs [--model DIR] [--cache memory|disk] [--queries 1000] [--candidates 20] [--repeat 0.3]
//   [--overlap 0.6]   (repeat: of the queries; overlap: of a repeated query's candidates)

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Reranker } from 'zrank';
import { seededRandom } from '../../dist/random.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'zrank-tiny' },
    cache: { type: 'string', default: 'memory' },
    queries: { type: 'string', default: '1000' },
    candidates: { type: 'string', default: '20' },
    repeat: { type: 'string', default: '0.3' },
    overlap: { type: 'string', default: '0.6' },
  },
});
const { model, cache } = values;
const [queries, candidates, repeat, overlap] = ['queries', 'candidates', 'repeat', 'overlap'].map((it) => +values[it]);

const random = seededRandom(1);
const pick = (list) => list[Math.floor(random() * list.length)];
const words =
  'bread butter bag box fresh frozen loaf slice toast oven flour yeast salt sugar tax vote spring law'.split(' ');
const text = (length) => Array.from({ length }, () => pick(words)).join(' ');

/** A query, one of before where it repeats itself, then with so many of its candidates and new ones. */
const asked = [];
for (let i = 0; i < queries; i++) {
  const before = i > 0 && random() < repeat ? pick(asked) : undefined;
  const known = before ? before.documents.slice(0, Math.round(overlap * candidates)) : [];
  const documents = [...known, ...Array.from({ length: candidates - known.length }, () => text(60 + random() * 120))];
  asked.push({ query: before?.query ?? text(4 + random() * 8), documents });
}

const cacheFolder = mkdtempSync(join(tmpdir(), 'zrank-replay-'));
const plain = await Reranker.load(model);
const cached = await Reranker.load(model, { cache, cacheFolder });
const seconds = { plain: 0, cached: 0 };
let difference = 0;
await plain.rank('warm', ['up']);
for (const [i, { query, documents }] of asked.entries()) {
  const pairs = documents.map((document) => [query, document]);
  const timed = async (name, reranker) => {
    const start = performance.now();
    const logits = await reranker.predict(pairs);
    seconds[name] += (performance.now() - start) / 1000;
    return logits;
  };
  // By turns first, so that neither always finds the processor's caches warm.
  const order = [
    ['plain', plain],
    ['cached', cached],
  ];
  if (i % 2) order.reverse();
  const [one, other] = [await timed(...order[0]), await timed(...order[1])];
  for (const [k, logit] of one.entries()) difference = Math.max(difference, Math.abs(logit - other[k]));
}
const { cacheHits, cacheMisses } = cached.stats();
const { precision } = cached;
await Promise.all([plain.close(), cached.close()]);
rmSync(cacheFolder, { recursive: true });
const hitRate = cacheHits / (cacheHits + cacheMisses);
const report = {
  model,
  precision,
  cache,
  queries,
  candidates,
  secondsWithout: seconds.plain,
  secondsWith: seconds.cached,
  ratio: seconds.plain / seconds.cached,
  hitRate,
  ratioOfPairs: 1 / (1 - hitRate),
  difference,
};
console.log(JSON.stringify(report, undefined, 2));
