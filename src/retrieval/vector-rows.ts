import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type usearchModule from 'usearch';
import type { Index } from 'usearch';
import { ZrankError } from '../error.js';

let loaded: typeof usearchModule | undefined;

/**
 * Loaded when it is first needed: from a script on standard input, or of `node -e`, it cannot find its addon. undefined
 * where it is not installed.
 */
function usearch(): typeof usearchModule | undefined {
  try {
    loaded ??= createRequire(import.meta.url)('usearch') as typeof usearchModule;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
  }
  return loaded;
}

/** What the score of two vectors a and b is: their cosine, their dot product, or -|a - b|. Higher is better. */
export const metrics = ['cosine', 'dot', 'euclidean'] as const;
export type Metric = (typeof metrics)[number];

/** usearch's distance of each metric, and what makes a score of it. */
const usearchMetrics = {
  cosine: { kind: 'Cos', scoreOf: (distance: number) => 1 - distance },
  dot: { kind: 'IP', scoreOf: (distance: number) => 1 - distance },
  euclidean: { kind: 'L2sq', scoreOf: (distance: number) => 0 - Math.sqrt(Math.max(distance, 0)) },
} as const;

export interface Shape {
  /** Length of a vector. */
  dimensions: number;
  metric: Metric;
  /** HNSW: links of a node. */
  connectivity: number;
  /** HNSW: candidates looked at for a new vector. */
  expansionAdd: number;
  /** HNSW: candidates looked at in a search. */
  expansionSearch: number;
}

export interface Neighbour {
  row: number;
  /** As VectorIndexOptions.metric says. */
  score: number;
}

/** Vectors by number: rows count from 0 in the order of adding. */
export interface VectorRows {
  /** How many vectors it holds. */
  readonly size: number;
  /** Adds vectors as the rows from `firstRow` on. */
  add(firstRow: number, vectors: readonly Float32Array[]): void;
  /** Removes a vector. Returns the row of the one that has moved to its place, if one has. */
  remove(row: number): number | undefined;
  /** At most k neighbours, best first. */
  search(vector: Float32Array, k: number): Neighbour[];
  /** Writes them to a new file. */
  writeTo(path: string): Promise<void>;
}

/** All vectors in one array [count, dimensions]; a search compares with each. */
export class ExactRows implements VectorRows {
  readonly #shape: Shape;
  /** Begins at its buffer's start, since usearch passes over a view's offset. Grows by doubling. */
  #rows: Float32Array;
  #count: number;

  constructor(shape: Shape, rows = new Float32Array(0)) {
    this.#shape = shape;
    this.#rows = rows;
    this.#count = rows.length / shape.dimensions;
  }

  get size(): number {
    return this.#count;
  }

  add(_firstRow: number, vectors: readonly Float32Array[]): void {
    const { dimensions } = this.#shape;
    const end = (this.#count + vectors.length) * dimensions;
    if (end > this.#rows.length) {
      const grown = new Float32Array(Math.max(end, 2 * this.#rows.length));
      grown.set(this.#rows.subarray(0, this.#count * dimensions));
      this.#rows = grown;
    }
    for (const vector of vectors) this.#rows.set(vector, this.#count++ * dimensions);
  }

  remove(row: number): number | undefined {
    const { dimensions } = this.#shape;
    const last = --this.#count;
    if (row === last) return undefined;
    this.#rows.copyWithin(row * dimensions, last * dimensions, (last + 1) * dimensions);
    return last;
  }

  search(vector: Float32Array, k: number): Neighbour[] {
    const { dimensions, metric } = this.#shape;
    const rows = this.#rows.subarray(0, this.#count * dimensions);
    const library = usearch();
    if (library === undefined) return searchRows(metric, rows, vector, k);
    const kind = library.MetricKind[usearchMetrics[metric].kind];
    const { keys, distances } = library.exactSearch(rows, vector.slice(), dimensions, k, kind);
    return neighbours(keys, distances, metric);
  }

  async writeTo(path: string): Promise<void> {
    const bytes = new Uint8Array(
      this.#rows.buffer,
      0,
      this.#count * this.#shape.dimensions * Float32Array.BYTES_PER_ELEMENT,
    );
    const file = await open(path, 'wx');
    try {
      for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
    } finally {
      await file.close();
    }
  }
}

/** As usearch's exactSearch does, some times slower, where it is not installed. A cosine with zeros is 0. */
function searchRows(metric: Metric, rows: Float32Array, vector: Float32Array, k: number): Neighbour[] {
  const length = Math.hypot(...vector);
  const scores = new Float64Array(rows.length / vector.length);
  for (let row = 0, at = 0; row < scores.length; row++) {
    let [product, square, distance] = [0, 0, 0];
    for (let i = 0; i < vector.length; i++, at++) {
      const value = rows[at]!;
      product += value * vector[i]!;
      square += value * value;
      distance += (value - vector[i]!) ** 2;
    }
    scores[row] = {
      cosine: product / (length * Math.sqrt(square)) || 0,
      dot: product,
      euclidean: 0 - Math.sqrt(distance),
    }[metric];
  }
  const least = scores.toSorted()[Math.max(0, scores.length - k)]!;
  const best: Neighbour[] = [];
  for (const [row, score] of scores.entries()) if (score >= least) best.push({ row, score });
  return best.sort(byScore).slice(0, k);
}

/** A graph of near neighbours: Malkov and Yashunin, TPAMI 42(4), 2020. */
export class HnswRows implements VectorRows {
  readonly #index: Index;
  readonly #metric: Metric;

  /** @param from a file of writeTo() to load, or to map; a mapped index cannot be changed */
  constructor(shape: Shape, from?: { path: string; mapped: boolean }) {
    this.#metric = shape.metric;
    const library = usearch();
    if (library === undefined)
      throw new ZrankError('PACKAGE_NOT_FOUND', "algorithm 'hnsw' needs the package usearch: npm install usearch");
    const { Index: UsearchIndex, MetricKind, ScalarKind } = library;
    this.#index = new UsearchIndex({
      dimensions: shape.dimensions,
      metric: MetricKind[usearchMetrics[shape.metric].kind],
      quantization: ScalarKind.F32,
      connectivity: shape.connectivity,
      expansion_add: shape.expansionAdd,
      expansion_search: shape.expansionSearch,
      multi: false,
    });
    if (from?.mapped) this.#index.view(from.path);
    else if (from) this.#index.load(from.path);
  }

  get size(): number {
    return this.#index.size();
  }

  add(firstRow: number, vectors: readonly Float32Array[]): void {
    const keys = BigUint64Array.from(vectors, (_, i) => BigInt(firstRow + i));
    try {
      // Always as many threads: usearch has room for as many as the first call named, and fails where a later one names
      // more.
      this.#index.add(keys, [...vectors], availableParallelism());
    } catch (error) {
      this.#index.remove(keys);
      throw error;
    }
  }

  remove(row: number): undefined {
    this.#index.remove(BigInt(row));
  }

  search(vector: Float32Array, k: number): Neighbour[] {
    const { keys, distances } = this.#index.search(vector, k, 1);
    return neighbours(keys, distances, this.#metric);
  }

  async writeTo(path: string): Promise<void> {
    this.#index.save(path);
  }
}

function neighbours(keys: BigUint64Array, distances: Float32Array, metric: Metric): Neighbour[] {
  const { scoreOf } = usearchMetrics[metric];
  return Array.from(keys, (key, i) => ({ row: Number(key), score: scoreOf(distances[i]!) })).sort(byScore);
}

function byScore(a: Neighbour, b: Neighbour): number {
  return b.score - a.score || a.row - b.row;
}
