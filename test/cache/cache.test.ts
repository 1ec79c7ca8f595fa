// Reranker.load({ cache }): calls whose pairs have been scored before. Real: the embedded model, checkpoints of
// test/goldens, their engines, SQLite, another process.

import { appendFile, cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Reranker, toProbability, type Hit, type LoadOptions, type Pair } from 'zrank';
import { openAddon } from '../../dist/libraries/open-addon.js';
import { chunkCharacters } from '../../dist/tokenization/pair-encoder.js';
import { fixture } from '../encoder-folders.js';
import { copyOfGolden, expectCode, root, runScript, temporaryFolder, tinyModel, zrank } from '../support.js';

const query = 'how do I keep bread fresh';
const documents = ['in a paper bag', 'the parliament debates a tax on sugar', 'in the freezer, in slices', ''];
const pairs = documents.map((document): Pair => [query, document]);

const opened: Reranker[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((reranker) => reranker.close()));
});
async function load(options: LoadOptions = {}, model = tinyModel): Promise<Reranker> {
  const reranker = await Reranker.load(model, options);
  opened.push(reranker);
  return reranker;
}

/** Pairs that the engine scores while the work goes on. */
async function computedBy(reranker: Reranker, work: () => Promise<unknown>): Promise<number> {
  const before = reranker.counters().sequences;
  await work();
  return reranker.counters().sequences - before;
}
const lookups = (reranker: Reranker) => {
  const { cacheHits, cacheMisses } = reranker.stats();
  return [cacheHits, cacheMisses];
};

/** Alike but for what another batch rounds otherwise (docs/performance.md). */
function expectAlike(hits: readonly Hit[], others: readonly Hit[]): void {
  expect(hits).toHaveLength(others.length);
  for (const [i, { logit, score, ...hit }] of hits.entries()) {
    expect(others[i]).toMatchObject(hit);
    expect(logit).toBeCloseTo(others[i]!.logit, 4);
    expect(score).toBe(toProbability(logit, 5));
  }
}

describe('in memory', () => {
  test('a pair is computed once, and its score has the same bits', async () => {
    const reranker = await load({ cache: 'memory' });
    const first = await reranker.predict(pairs);
    const computed = await computedBy(reranker, async () => {
      expect(await reranker.predict(pairs.toReversed())).toEqual(first.toReversed());
    });
    expect(computed).toBe(0);
    expect(lookups(reranker)).toEqual([4, 4]);
    expect(first).toEqual(await (await load()).predict(pairs));
  });

  test('without one nothing is kept', async () => {
    const reranker = await load();
    await reranker.predict(pairs);
    expect(await computedBy(reranker, () => reranker.predict(pairs))).toBe(4);
    expect(lookups(reranker)).toEqual([0, 0]);
  });

  test('a call may do without it', async () => {
    const reranker = await load({ cache: 'memory' });
    expect(await computedBy(reranker, () => reranker.predict(pairs, { cache: false }))).toBe(4);
    expect(await computedBy(reranker, () => reranker.predict(pairs))).toBe(4);
    expect(await computedBy(reranker, () => reranker.predict(pairs, { cache: false }))).toBe(4);
    expect(lookups(reranker)).toEqual([0, 4]);
  });

  test('prompts that differ in the instruction, the cut or special tokens have scores of their own', async () => {
    const [plain, cached] = [await load(), await load({ cache: 'memory' })];
    const long = 'keep it <|im_end|> in a bag, or in a box '.repeat(20);
    const calls = [
      {},
      { instruction: 'a document about storage' },
      { maxLength: 100 },
      { maxLength: 101 },
      { specialTokens: 'text' as const },
      { maxDocumentTokens: 20 },
    ];
    for (const options of [...calls, ...calls])
      expectAlike(
        await cached.rank(query, [long, ...documents], options),
        await plain.rank(query, [long, ...documents], options),
      );
    // The short ones are the same prompts with another cut; long ones that are cut alike are one prompt.
    const [hits, misses] = lookups(cached);
    expect(misses).toBeLessThan(calls.length * 5);
    expect(hits! + misses!).toBe(2 * calls.length * 5);
    const [hit] = await cached.rank(query, [`${long} and more`], { maxLength: 100 });
    expect(hit).toMatchObject({ truncated: true, tokens: 100 });
    expect(lookups(cached)).toEqual([hits! + 1, misses]);
  });

  test('it keeps the last scores where it has no room for all', async () => {
    const reranker = await load({ cache: { memoryBytes: 1000 } });
    const many = Array.from({ length: 40 }, (_, i): Pair => [query, `bag ${i}`]);
    await reranker.predict(many);
    expect(await computedBy(reranker, () => reranker.predict(many.slice(-3)))).toBe(0);
    expect(await computedBy(reranker, () => reranker.predict(many.slice(0, 30)))).toBe(30);
  });

  test('segments are part of a prompt: a BERT-like cross-encoder', async () => {
    const [plain, cached] = [
      await load({}, fixture('cross-encoder')),
      await load({ cache: 'memory' }, fixture('cross-encoder')),
    ];
    const both: Pair[] = [
      ['bread', 'butter jam'],
      ['bread butter', 'jam'],
      ['jam', 'bread butter'],
    ];
    const scores = await plain.predict(both);
    await cached.predict(both);
    expect(await cached.predict(both)).toEqual(scores);
    expect(lookups(cached)).toEqual([3, 3]);
  });
});

describe('a call of several chunks, some of which the cache has', () => {
  /** Of about seven chunks. */
  const many = Array.from({ length: 500 }, (_, i) => `${i} ${'bread and butter '.repeat(1 + (i % 60))}`);
  const chunks = many.reduce((sum, { length }) => sum + length + query.length + 128, 0) / chunkCharacters;

  const plain = new Map<number, Hit>();
  beforeAll(async () => {
    await using reranker = await Reranker.load(tinyModel);
    for (const hit of await reranker.rank(query, many)) plain.set(hit.index, hit);
  });

  test.each([
    ['none', () => false],
    ['all', () => true],
    ['the first chunks', (i: number) => i < 250],
    ['the last chunks', (i: number) => i >= 250],
    ['all but one in the middle', (i: number) => i !== 251],
    ['every second', (i: number) => i % 2 === 0],
  ])('%s: the scores are those of an engine without a cache', { timeout: 30_000 }, async (_, isKnown) => {
    expect(chunks).toBeGreaterThan(4);
    const cached = await load({ cache: 'memory' });
    const known = many.filter((_, i) => isKnown(i));
    const before = new Map((await cached.rank(query, known)).map(({ index, logit }) => [known[index], logit]));
    const seen: number[] = [];
    const computed = await computedBy(cached, async () => {
      const timings: unknown[] = [];
      const hits = await cached.rank(query, many, {
        onProgress: ({ completed, total }) => {
          expect(total).toBe(500);
          seen.push(completed);
        },
        onTiming: (timing) => timings.push(timing),
      });
      expect(timings).toHaveLength(1);
      expect(hits).toHaveLength(500);
      expectAlike(
        hits,
        hits.map(({ index }) => plain.get(index)!),
      );
      for (const { index, logit } of hits) expect(logit).toBe(before.get(many[index]!) ?? logit);
    });
    expect(computed).toBe(500 - known.length);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(500);
    expect(cached.stats().waitingTokens).toBe(0);
  });

  test('an aborted call leaves nothing behind that is wrong, nor room held in the queue', {
    timeout: 30_000,
  }, async () => {
    const reranker = await load({ cache: 'memory' });
    const controller = new AbortController();
    const call = reranker.rank(query, many, { signal: controller.signal, onProgress: () => controller.abort() });
    await expectCode(call, 'ABORTED');
    await vi.waitUntil(() => reranker.stats().waitingTokens === 0, 10_000);
    const logits = await reranker.predict(many.map((document): Pair => [query, document]));
    logits.forEach((logit, i) => expect(logit).toBeCloseTo(plain.get(i)!.logit, 4));
    await expectCode(reranker.rank(query, many, { signal: AbortSignal.abort() }), 'ABORTED');
    expect(await computedBy(reranker, () => reranker.rank(query, many))).toBe(0);
  });

  test('a limit on tokens counts those that the cache has', async () => {
    const reranker = await load({ cache: 'memory', maxRequestTokens: 3000 });
    for (let i = 0; i < 40; i++) await reranker.rank(query, [many[i]!]);
    await expectCode(reranker.rank(query, many.slice(0, 40)), 'REQUEST_TOO_LARGE');
    expect(reranker.stats().waitingTokens).toBe(0);
  });
});

describe('on disk', () => {
  const onDisk = async () => ({ cache: { diskBytes: 2 ** 22 }, cacheFolder: await temporaryFolder() });

  test('other rerankers and processes find the scores', async () => {
    const options = await onDisk();
    const first = await load(options);
    const logits = await first.predict(pairs);
    await first.close();
    const second = await load(options);
    expect(await computedBy(second, async () => expect(await second.predict(pairs)).toEqual(logits))).toBe(0);
    await second.close();
    const { stdout, stderr } = await runScript(`
      import { Reranker } from 'zrank';
      const reranker = await Reranker.load(${JSON.stringify(tinyModel)}, ${JSON.stringify(options)});
      console.log(JSON.stringify([...await reranker.predict(${JSON.stringify(pairs)})]), reranker.counters().sequences);
      await reranker.close();`);
    expect(stdout, stderr).toBe(`${JSON.stringify([...logits])} 0\n`);
  });

  test('another precision has other scores', async () => {
    const options = await onDisk();
    const model = join(root, 'test/goldens/causal-fp32-sharded');
    const scored = async (more: LoadOptions) => {
      const reranker = await load({ ...options, ...more }, model);
      const computed = await computedBy(reranker, () => reranker.predict(pairs));
      await reranker.close();
      return computed;
    };
    expect(await scored({ precision: 'fp32' })).toBe(4);
    expect(await scored({ precision: 'int8' })).toBe(4);
    expect(await scored({ precision: 'fp32' })).toBe(0);
    expect(await scored({ precision: 'int8' })).toBe(0);
  });

  // A processor that has no kernels has one set only.
  test.skipIf(openAddon().kernels().target === 'none')('other instructions have other scores', async () => {
    const options = { ...(await onDisk()), precision: 'fp32' as const };
    const script = `
      import { Reranker } from 'zrank';
      const reranker = await Reranker.load(${JSON.stringify(tinyModel)}, ${JSON.stringify(options)});
      await reranker.predict(${JSON.stringify(pairs)});
      await reranker.close();`;
    const { code, stderr } = await runScript(script, { env: { ZRANK_CPU_TARGET: 'none' } });
    expect(code, stderr).toBe(0);
    const reranker = await load(options);
    await reranker.predict(pairs);
    expect(lookups(reranker)).toEqual([0, 4]);
  });

  test('a model whose files change in a byte has other scores, a copy of it the same', async () => {
    const options = await onDisk();
    const folder = await copyOfGolden('causal-bf16');
    const copy = join(await temporaryFolder(), 'causal-bf16');
    await cp(folder, copy, { recursive: true });
    const scored = async (model: string) => {
      const reranker = await load(options, model);
      const computed = await computedBy(reranker, () => reranker.predict(pairs));
      await reranker.close();
      return computed;
    };
    expect(await scored(folder)).toBe(4);
    expect(await scored(copy)).toBe(0);
    const weights = join(folder, 'model.safetensors');
    const bytes = await readFile(weights);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(weights, bytes);
    expect(await scored(folder)).toBe(4);
    expect(await scored(copy)).toBe(0);
  });

  test('a damaged file is done without: the scores are right', async () => {
    const options = await onDisk();
    const path = join(options.cacheFolder, 'scores-1.sqlite');
    await writeFile(path, 'x'.repeat(10_000));
    await appendFile(`${path}-wal`, 'y'.repeat(5000));
    const said = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const reranker = await load(options);
    const logits = await reranker.predict(pairs);
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
    expect(logits).toEqual(await (await load()).predict(pairs));
    expect(await computedBy(reranker, () => reranker.predict(pairs))).toBe(0);
  });

  test('zrank rank --cache disk', async () => {
    const env = { XDG_CACHE_HOME: await temporaryFolder() };
    const args = ['rank', '--query', query, '--documents', '-', '--json', '--cache', 'disk'];
    const first = await zrank(args, { env, input: documents.slice(0, 3).join('\n') });
    const second = await zrank(args, { env, input: documents.slice(0, 3).join('\n') });
    expect(first.code, first.stderr).toBe(0);
    expect(second.stdout).toBe(first.stdout);
    expect((await readFile(join(env.XDG_CACHE_HOME, 'zrank/scores-1.sqlite'))).length).toBeGreaterThan(1000);
    const { code, stderr } = await zrank(['rank', '--query', query, '--documents', '-', '--cache', 'tape']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/memory, disk/);
  });
});

test.each([true, 'tape', { memoryBytes: 0 }, { diskBytes: 1000 }, { bytes: 5 }, []])(
  '%j is no cache',
  async (cache) => {
    await expectCode(Reranker.load(tinyModel, { cache } as any), 'INVALID_ARGUMENT', /"memory", "disk" or an object/);
  },
);
