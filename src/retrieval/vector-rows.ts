import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import usearch, { type Index } from 'usearch';

const { exactSearch, Index: UsearchIndex, MetricKind, ScalarKind } = usearch;

export interface Shape {
  /** Length of a vector. */
  dimensions: number;
  metric: 'cosine' | 'dot';
  /** HNSW: links of a node. */
  connectivity: number;
  /** HNSW: candidates looked at for a new vector. */
  expansionAdd: number;
  /** HNSW: candidates looked at in a search. */
  expansionSearch: number;
}

export interface Neighbour {
  key: number;
  /** 1 - similarity. */
  distance: number;
}

/** Vectors by number: keys count from 0 in the order of adding. */
export interface VectorRows {
  /** How many vectors it holds. */
  readonly size: number;
  /** Adds the vectors [count, dimensions] under the keys from `firstKey` on. */
  add(firstKey: number, vectors: Float32Array): void;
  /** Removes a vector. Returns the key of the one that has moved to its place, if one has. */
  remove(key: number): number | undefined;
  /** At most k neighbours, nearest first. */
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

  add(_firstKey: number, vectors: Float32Array): void {
    const { dimensions } = this.#shape;
    const start = this.#count * dimensions;
    if (start + vectors.length > this.#rows.length) {
      const grown = new Float32Array(Math.max(start + vectors.length, 2 * this.#rows.length));
      grown.set(this.#rows.subarray(0, start));
      this.#rows = grown;
    }
    this.#rows.set(vectors, start);
    this.#count += vectors.length / dimensions;
  }

  remove(key: number): number | undefined {
    const { dimensions } = this.#shape;
    const last = --this.#count;
    if (key === last) return undefined;
    this.#rows.copyWithin(key * dimensions, last * dimensions, (last + 1) * dimensions);
    return last;
  }

  search(vector: Float32Array, k: number): Neighbour[] {
    const { dimensions, metric } = this.#shape;
    const rows = this.#rows.subarray(0, this.#count * dimensions);
    const { keys, distances } = exactSearch(rows, vector.slice(), dimensions, k, metricKinds[metric]);
    return neighbours(keys, distances);
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

/** A graph of near neighbours: Malkov and Yashunin, TPAMI 42(4), 2020. */
export class HnswRows implements VectorRows {
  readonly #index: Index;

  /** @param from a file of writeTo() to load, or to map; a mapped index cannot be changed */
  constructor(shape: Shape, from?: { path: string; mapped: boolean }) {
    this.#index = new UsearchIndex({
      dimensions: shape.dimensions,
      metric: metricKinds[shape.metric],
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

  add(firstKey: number, vectors: Float32Array): void {
    const count = vectors.length / this.#index.dimensions();
    const keys = BigUint64Array.from({ length: count }, (_, i) => BigInt(firstKey + i));
    try {
      this.#index.add(keys, vectors, Math.min(count, availableParallelism()));
    } catch (error) {
      this.#index.remove(keys);
      throw error;
    }
  }

  remove(key: number): undefined {
    this.#index.remove(BigInt(key));
  }

  search(vector: Float32Array, k: number): Neighbour[] {
    const { keys, distances } = this.#index.search(vector, k, 1);
    return neighbours(keys, distances);
  }

  async writeTo(path: string): Promise<void> {
    this.#index.save(path);
  }
}

const metricKinds = { cosine: MetricKind.Cos, dot: MetricKind.IP };

function neighbours(keys: BigUint64Array, distances: Float32Array): Neighbour[] {
  return Array.from(keys, (key, i) => ({ key: Number(key), distance: distances[i]! })).sort(
    (a, b) => a.distance - b.distance || a.key - b.key,
  );
}
