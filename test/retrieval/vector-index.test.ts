// Real usearch indexes, and real files in a folder of their own.
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VectorIndex, type VectorIndexOptions } from 'zrank';
import { readIndexFile, writeIndexFile } from '../../dist/retrieval/index-file.js';
import { turnsDuring } from '../support.js';
import { seededRandom } from '../../dist/random.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'zrank-index-'))));
afterAll(() => rm(folder, { recursive: true }));

const dimensions = 16;
const random = seededRandom(7);
const vectors = Array.from({ length: 500 }, () => Float32Array.from({ length: dimensions }, () => random() - 0.5));
const ids = vectors.map((_, i) => `document ${i}`);
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const euclidean = (a: Float32Array, b: Float32Array) => -Math.hypot(...a.map((value, i) => value - b[i]!));

async function filled(options: Partial<VectorIndexOptions> = {}): Promise<VectorIndex> {
  const index = new VectorIndex({ dimensions, ...options });
  await index.add(ids, vectors);
  return index;
}

describe.each(['exact', 'hnsw'] as const)('%s', (algorithm) => {
  test.each([
    ['cosine', cosine],
    ['dot', dot],
    ['euclidean', euclidean],
  ] as const)('finds the nearest by %s', async (metric, similarity) => {
    const index = await filled({ algorithm, metric, expansionSearch: 500 });
    expect(index).toMatchObject({ size: 500, dimensions, metric, algorithm });
    const query = vectors[3]!.map((value) => value + 0.1);
    const expected = vectors
      .map((vector, i) => ({ id: ids[i]!, score: similarity(query, vector) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 5);
    expect(index.search(query, 5)).toEqual(expected.map(({ id, score }) => ({ id, score: expect.closeTo(score, 5) })));
  });

  test('removes, and adds again under the same id', async () => {
    const index = await filled({ algorithm });
    await index.remove([ids[0]!, ids[499]!, ids[7]!]);
    expect(index.size).toBe(497);
    expect(index.has(ids[7]!)).toBe(false);
    for (const i of [0, 7, 499]) expect(index.search(vectors[i]!, 1)[0]!.id).not.toBe(ids[i]);
    for (const i of [1, 250, 497, 498]) expect(index.search(vectors[i]!, 1)[0]!.id).toBe(ids[i]);
    await index.add([ids[7]!], [vectors[0]!]);
    expect(index.search(vectors[0]!, 1)).toEqual([{ id: ids[7], score: expect.closeTo(1, 5) }]);
  });

  test('comes back from its file', async () => {
    const path = join(folder, `${algorithm}.index`);
    const index = await filled({ algorithm, metric: 'dot' });
    await index.remove([ids[2]!, ids[9]!]);
    await index.save(path);
    await index.save(path);
    const loaded = await VectorIndex.load(path);
    expect(loaded).toMatchObject({ size: 498, dimensions, metric: 'dot', algorithm });
    for (const i of [0, 2, 499]) expect(loaded.search(vectors[i]!, 5)).toEqual(index.search(vectors[i]!, 5));
    await loaded.add([ids[2]!], [vectors[2]!]);
    expect(loaded.size).toBe(499);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('equal vectors are found under each of their ids, and other vectors as if there was one', async () => {
    const index = new VectorIndex({ dimensions, algorithm });
    const same = Array.from({ length: 300 }, (_, i) => `same ${i}`);
    await index.add(
      same,
      same.map(() => vectors[499]!),
    );
    await index.add(ids.slice(0, 100), vectors.slice(0, 100));
    expect(index.size).toBe(400);
    for (let i = 0; i < 100; i++) expect(index.search(vectors[i]!, 1)[0]!.id).toBe(ids[i]);
    expect(index.search(vectors[499]!, 5).map(({ id }) => id)).toEqual(same.slice(0, 5));
    expect(new Set(index.search(vectors[0]!, 400).map(({ id }) => id)).size).toBe(400);

    const path = join(folder, `${algorithm}-equal.index`);
    await index.save(path);
    const loaded = await VectorIndex.load(path);
    await loaded.add(['same again'], [vectors[499]!]);
    await loaded.remove(same.slice(1));
    const scored = (id: string) => ({ id, score: expect.closeTo(1, 5) });
    expect(loaded.search(vectors[499]!, 2)).toEqual([scored('same 0'), scored('same again')]);
    await loaded.remove(['same 0', 'same again']);
    expect(loaded.search(vectors[499]!, 400)).toHaveLength(100);
    await loaded.add(['same 0'], [vectors[499]!]);
    expect(loaded.search(vectors[499]!, 1)).toEqual([scored('same 0')]);
  });

  test('of vectors one after the other as of many at once', async () => {
    const index = new VectorIndex({ dimensions, algorithm });
    for (let i = 0; i < 3; i++) await index.add([ids[i]!], [vectors[i]!]);
    await index.add(ids.slice(3), vectors.slice(3));
    for (const i of [0, 2, 3, 499]) expect(index.search(vectors[i]!, 1)[0]!.id).toBe(ids[i]);
  });

  test('a file of version 1 is read, and written anew; one of a later version is not', async () => {
    const path = join(folder, `${algorithm}-version.index`);
    const index = await filled({ algorithm });
    await index.remove([ids[499]!]);
    await index.save(path);
    const rewrite = async (change: (description: any) => object) => {
      const { description, vectorBytes } = await readIndexFile(path);
      const bytes = (await readFile(path)).subarray(0, vectorBytes);
      await writeIndexFile(path, change(description), (name) => writeFile(name, bytes));
    };
    await rewrite(({ ids, digests: _, encoder: __, ...settings }) => ({
      ...settings,
      format: 1,
      ids: ids.map(([id]: string[]) => id ?? null),
    }));
    const loaded = await VectorIndex.load(path);
    for (const i of [0, 498]) expect(loaded.search(vectors[i]!, 1)[0]!.id).toBe(ids[i]);
    await loaded.remove([ids[0]!]);
    await loaded.add([ids[499]!], [vectors[499]!]);
    await loaded.save(path);
    const again = await VectorIndex.load(path);
    for (const i of [1, 498, 499]) expect(again.search(vectors[i]!, 1)[0]!.id).toBe(ids[i]);
    await rewrite((description) => ({ ...description, format: 3 }));
    await expect(VectorIndex.load(path)).rejects.toMatchObject({ code: 'INDEX_INVALID' });
  });

  test('an empty index is searched, saved and loaded', async () => {
    const path = join(folder, `${algorithm}-empty.index`);
    await new VectorIndex({ dimensions, algorithm }).save(path);
    const index = await VectorIndex.load(path);
    expect(index.search(vectors[0]!, 3)).toEqual([]);
    await index.add(['one'], [vectors[0]!]);
    expect(index.search(vectors[0]!, 3)).toEqual([{ id: 'one', score: expect.closeTo(1, 5) }]);
  });

  test('refuses bad vectors and ids, and keeps what it has', async () => {
    const index = await filled({ algorithm });
    const good = vectors[0]!;
    const bad = good.with(3, NaN);
    await expect(index.add(['new', 'nan'], [good, bad])).rejects.toMatchObject({
      code: 'DATA_INVALID',
      received: 'NaN',
    });
    await expect(index.add(['new', 'inf'], [good, good.with(0, Infinity)])).rejects.toMatchObject({
      code: 'DATA_INVALID',
    });
    await expect(index.add(['new', 'short'], [good, good.slice(1)])).rejects.toMatchObject({
      code: 'DATA_INVALID',
      received: '15 dimensions',
    });
    await expect(index.add(['new', 'none'], [good])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(index.add(['new', ids[5]!], [good, good])).rejects.toMatchObject({ code: 'DUPLICATE_ID' });
    await expect(index.add(['new', 'new'], [good, good])).rejects.toMatchObject({ code: 'DUPLICATE_ID' });
    await expect(index.add(['new', ''], [good, good])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(index.remove([ids[0]!, 'unknown'])).rejects.toMatchObject({ code: 'UNKNOWN_ID' });
    expect(() => index.search(bad, 1)).toThrow(expect.objectContaining({ code: 'DATA_INVALID' }));
    expect(() => index.search(good.slice(1), 1)).toThrow(expect.objectContaining({ code: 'DATA_INVALID' }));
    expect(() => index.search(good, 0)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(index.size).toBe(500);
    expect(index.has('new')).toBe(false);
    expect(index.search(good, 1)[0]!.id).toBe(ids[0]);
  });

  test('a file with one byte changed, cut off, or of another kind is refused', async () => {
    const path = join(folder, `${algorithm}-good.index`);
    await (await filled({ algorithm })).save(path);
    const bytes = await readFile(path);
    const damaged = join(folder, `${algorithm}-damaged.index`);
    for (const position of [
      0,
      100,
      bytes.length >> 1,
      bytes.length - 60,
      bytes.length - 45,
      bytes.length - 20,
      bytes.length - 1,
    ]) {
      const copy = Buffer.from(bytes);
      copy[position]! ^= 1;
      await writeFile(damaged, copy);
      await expect(VectorIndex.load(damaged)).rejects.toMatchObject({ code: 'INDEX_INVALID' });
      await expect(VectorIndex.view(damaged)).rejects.toMatchObject({ code: 'INDEX_INVALID' });
    }
    for (const length of [0, 10, bytes.length >> 1, bytes.length - 1]) {
      await copyFile(path, damaged);
      await truncate(damaged, length);
      await expect(VectorIndex.load(damaged)).rejects.toMatchObject({ code: 'INDEX_INVALID' });
    }
    await expect(VectorIndex.load(join(folder, 'none'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(VectorIndex.load(folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('a save that fails leaves nothing, and the index as it was', async () => {
    const index = await filled({ algorithm });
    await expect(index.save(join(folder, 'no such folder', 'x.index'))).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    await expect(index.save(folder)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    expect(
      (await readdir(tmpdir())).filter((name) => name.startsWith('zrank-index-') && name.endsWith('.tmp')),
    ).toEqual([]);
    expect(index.search(vectors[4]!, 1)[0]!.id).toBe(ids[4]);
  });

  test('vectors of zeros are kept, with a cosine of 0', async () => {
    const index = new VectorIndex({ dimensions: 2, algorithm });
    await index.add(
      ['zero', 'one'],
      [
        [0, 0],
        [0, 1],
      ],
    );
    expect(index.search([0, 1], 2)).toEqual([
      { id: 'one', score: 1 },
      { id: 'zero', score: 0 },
    ]);
  });
});

test('changes that overlap are made one after the other', async () => {
  const index = new VectorIndex({ dimensions, algorithm: 'hnsw' });
  const path = join(folder, 'overlap.index');
  const results = await Promise.allSettled([
    index.add(ids, vectors),
    index.add([ids[1]!], [vectors[1]!]),
    index.remove([ids[1]!]),
    index.save(path),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect((await VectorIndex.load(path)).size).toBe(499);
});

test('building a graph leaves the event loop its turns', async () => {
  const wide = Array.from({ length: 1500 }, () => Float32Array.from({ length: 256 }, random));
  const index = new VectorIndex({ dimensions: 256, algorithm: 'hnsw' });
  expect(
    await turnsDuring(() =>
      index.add(
        wide.map((_, i) => String(i)),
        wide,
      ),
    ),
  ).toBeGreaterThan(20);
});

test('HNSW finds the neighbours of 5,000 vectors of which half are copies of 20', async () => {
  const row = () => Float32Array.from({ length: dimensions }, () => random() - 0.5);
  const copied = Array.from({ length: 20 }, row);
  const many = Array.from({ length: 5000 }, (_, i) => (i % 2 ? row() : copied[Math.floor(random() * 20)]!));
  const names = many.map((_, i) => `${i}`);
  const [exact, hnsw] = (['exact', 'hnsw'] as const).map((algorithm) => new VectorIndex({ dimensions, algorithm }));
  await Promise.all([exact!.add(names, many), hnsw!.add(names, many)]);
  const recalls = Array.from({ length: 100 }, () => {
    const query = row();
    // Any copy is as good as another.
    const least = exact!.search(query, 10).at(-1)!.score - 1e-6;
    return hnsw!.search(query, 10).filter(({ score }) => score >= least).length / 10;
  });
  expect(recalls.reduce((sum, recall) => sum + recall) / 100).toBeGreaterThan(0.98);
});

test('a view searches, and refuses changes; an exact index has none', async () => {
  const path = join(folder, 'view.index');
  await (await filled({ algorithm: 'hnsw' })).save(path);
  const view = await VectorIndex.view(path);
  expect(view.search(vectors[8]!, 1)[0]!.id).toBe(ids[8]);
  await expect(view.add(['x'], [vectors[0]!])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(view.remove([ids[0]!])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await view.save(path);
  expect((await VectorIndex.view(path)).size).toBe(500);
  expect(view.search(vectors[8]!, 1)[0]!.id).toBe(ids[8]);
  await (await filled()).save(path);
  await expect(VectorIndex.view(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test.each([
  {},
  { dimensions: 0 },
  { dimensions: 4, metric: 'l2' },
  { dimensions: 4, algorithm: 'flat' },
  { dimensions: 4, connectivity: -1 },
  { dimensions: 4, expansionAdd: 0.5 },
  { dimensions: 4, expansionSearch: '3' },
  { dimension: 4 },
])('refuses %o', (options) => {
  expect(() => new VectorIndex(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
