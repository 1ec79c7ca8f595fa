import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isObject } from '../json.js';
import { ZrankError } from '../error.js';
import { aPositiveInteger, checkOptions, oneOf } from '../options.js';
import { checkCount, checkKnownIds, checkNewIds } from './check.js';
import { invalidIndex, readBytes, readIndexFile, writeIndexFile } from './index-file.js';
import type { Retrieved } from './retriever.js';
import { ExactRows, HnswRows, type Shape, type VectorRows } from './vector-rows.js';

export interface VectorIndexOptions {
  /** Length of a vector. */
  dimensions: number;
  /** What a score is: the cosine of two vectors, or their dot product. @default 'cosine' */
  metric?: 'cosine' | 'dot';
  /**
   * `exact` compares a query with every vector; `hnsw` walks a graph of near neighbours, which takes long to build, is
   * fast for millions, and may miss some. @default 'exact'
   */
  algorithm?: 'exact' | 'hnsw';
  /** HNSW: links of a node. @default 16 */
  connectivity?: number;
  /** HNSW: candidates looked at for a new vector. @default 128 */
  expansionAdd?: number;
  /** HNSW: candidates looked at in a search. @default 64 */
  expansionSearch?: number;
}

type Settings = Required<VectorIndexOptions>;

const rules = {
  dimensions: aPositiveInteger,
  metric: oneOf('cosine', 'dot'),
  algorithm: oneOf('exact', 'hnsw'),
  connectivity: aPositiveInteger,
  expansionAdd: aPositiveInteger,
  expansionSearch: aPositiveInteger,
};

/** The version of the file that save() writes. */
const fileFormat = 1;
/** Vectors that are added before the event loop gets its turn; a vector of an HNSW graph takes about a millisecond. */
const vectorsPerTurn = { exact: 8192, hnsw: 8 };

/** Vectors under string ids, on usearch. Changes and save() wait for one another; a search sees what is there. */
export class VectorIndex {
  readonly #settings: Settings;
  #rows: VectorRows;
  /** The id of each key; a removed key of an HNSW graph has none. */
  #ids: (string | null)[] = [];
  readonly #keys = new Map<string, number>();
  /** A view of a file cannot be changed. */
  #isView = false;
  /** Settles when the changes that were asked for are made. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: VectorIndexOptions) {
    checkOptions('VectorIndex', options, rules);
    if (options.dimensions === undefined)
      throw ZrankError.argument('dimensions of VectorIndex', aPositiveInteger.expected, undefined);
    const {
      dimensions,
      metric = 'cosine',
      algorithm = 'exact',
      connectivity = 16,
      expansionAdd = 128,
      expansionSearch = 64,
    } = options;
    this.#settings = { dimensions, metric, algorithm, connectivity, expansionAdd, expansionSearch };
    this.#rows = algorithm === 'exact' ? new ExactRows(this.#settings) : new HnswRows(this.#settings);
  }

  /**
   * Reads an index that save() wrote.
   *
   * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE; INDEX_INVALID where the file is not as it was written
   */
  static load(path: string): Promise<VectorIndex> {
    return VectorIndex.#open(path, false);
  }

  /**
   * Maps an HNSW index that save() wrote, so that its pages are read as searches need them and are shared with other
   * processes. It can be searched, not changed. The file is read once to check it.
   *
   * @throws ZrankError as load(); INVALID_ARGUMENT for an exact index, whose searches read all of it in any case
   */
  static view(path: string): Promise<VectorIndex> {
    return VectorIndex.#open(path, true);
  }

  static async #open(path: string, isView: boolean): Promise<VectorIndex> {
    const { description, vectorBytes } = await readIndexFile(path);
    const { options, ids } = parseDescription(path, description);
    const index = new VectorIndex(options);
    const settings = index.#settings;
    if (isView && settings.algorithm === 'exact') {
      throw new ZrankError(
        'INVALID_ARGUMENT',
        `${path} is an exact index: load() it, only an HNSW index can be viewed`,
      );
    }
    index.#rows =
      settings.algorithm === 'exact' ? await readExact(path, settings, vectorBytes) : openHnsw(path, settings, isView);
    index.#ids = ids;
    index.#isView = isView;
    ids.forEach((id, key) => id !== null && index.#keys.set(id, key));
    if (index.#rows.size !== index.size)
      throw invalidIndex(path, `it has ${index.#rows.size} vectors for ${index.size} ids`);
    return index;
  }

  get dimensions(): number {
    return this.#settings.dimensions;
  }

  get metric(): 'cosine' | 'dot' {
    return this.#settings.metric;
  }

  get algorithm(): 'exact' | 'hnsw' {
    return this.#settings.algorithm;
  }

  /** How many vectors it holds. */
  get size(): number {
    return this.#keys.size;
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /**
   * Adds a vector for each id: all of them, or, where it fails, none.
   *
   * @throws ZrankError DUPLICATE_ID; DATA_INVALID for a vector of another length or with a value that is not finite
   */
  async add(ids: readonly string[], vectors: readonly ArrayLike<number>[]): Promise<void> {
    if (ids.length !== vectors.length)
      throw ZrankError.argument('the vectors', `${ids.length}, one for each id,`, vectors);
    const { dimensions, algorithm } = this.#settings;
    const flat = new Float32Array(ids.length * dimensions);
    vectors.forEach((vector, i) => flat.set(this.#checked(vector, `the vector of document ${ids[i]}`), i * dimensions));
    await this.#change(async () => {
      checkNewIds(ids, (id) => this.#keys.has(id));
      const turn = vectorsPerTurn[algorithm];
      const added: string[] = [];
      try {
        for (let start = 0; start < ids.length; start += turn) {
          if (start > 0) await nextTurn();
          const some = ids.slice(start, start + turn);
          this.#rows.add(this.#ids.length, flat.subarray(start * dimensions, (start + some.length) * dimensions));
          for (const id of some) this.#keys.set(id, this.#ids.push(id) - 1);
          added.push(...some);
        }
      } catch (cause) {
        for (const id of added) this.#removeOne(id);
        throw new ZrankError('INTERNAL', `usearch could not add the vectors: ${(cause as Error).message}`, { cause });
      }
    });
  }

  /**
   * Removes the vectors of ids: all of them, or, where it fails, none.
   *
   * @throws ZrankError UNKNOWN_ID
   */
  async remove(ids: readonly string[]): Promise<void> {
    await this.#change(async () => {
      checkKnownIds(ids, (id) => this.#keys.has(id));
      for (const id of ids) this.#removeOne(id);
    });
  }

  /**
   * The at most k nearest ids, best first, with their cosine or dot product. Holds the thread: exact search passes over
   * all vectors, with all cores; HNSW takes about a millisecond. The cosine with a vector of zeros is 0.
   *
   * @throws ZrankError DATA_INVALID for a vector of another length or with a value that is not finite
   */
  search(vector: ArrayLike<number>, k: number): Retrieved[] {
    checkCount('k', k);
    const query = this.#checked(vector, 'the query vector');
    if (this.size === 0) return [];
    return this.#rows
      .search(query, Math.min(k, this.size))
      .map(({ key, distance }) => ({ id: this.#ids[key]!, score: 1 - distance }));
  }

  /**
   * Writes the index to one file, which takes its name when it is complete: a failure leaves what was there before.
   *
   * @throws ZrankError FILE_NOT_FOUND where the folder is missing, FILE_UNWRITABLE
   */
  async save(path: string): Promise<void> {
    await this.#exclusive(() => {
      const description = { format: fileFormat, ...this.#settings, ids: this.#ids };
      return writeIndexFile(path, description, (file) => this.#rows.writeTo(file));
    });
  }

  /** The vector in the precision of the index. */
  #checked(vector: ArrayLike<number>, what: string): Float32Array {
    const { dimensions } = this.#settings;
    if (vector?.length !== dimensions) {
      const received = vector?.length === undefined ? String(vector) : `${vector.length} dimensions`;
      throw new ZrankError('DATA_INVALID', `expected ${dimensions} dimensions for ${what} but received ${received}`, {
        expected: `${dimensions} dimensions`,
        received,
      });
    }
    const values = new Float32Array(vector);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return values;
    throw new ZrankError('DATA_INVALID', `expected finite numbers for ${what} but received ${values[bad]} at ${bad}`, {
      expected: 'finite numbers',
      received: String(values[bad]),
    });
  }

  #removeOne(id: string): void {
    const key = this.#keys.get(id)!;
    this.#keys.delete(id);
    this.#ids[key] = null;
    const moved = this.#rows.remove(key);
    if (moved !== undefined) {
      const movedId = this.#ids[moved]!;
      this.#ids[key] = movedId;
      this.#keys.set(movedId, key);
    }
    if (this.#settings.algorithm === 'exact') this.#ids.pop();
  }

  #change(work: () => Promise<void>): Promise<void> {
    if (this.#isView)
      throw new ZrankError('INVALID_ARGUMENT', 'this index is the view of a file: load() the file to change it');
    return this.#exclusive(work);
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }
}

function parseDescription(path: string, description: unknown): { options: VectorIndexOptions; ids: (string | null)[] } {
  if (!isObject(description) || description['format'] !== fileFormat)
    throw invalidIndex(path, `it is not of format ${fileFormat}`);
  const { format: _, ids, ...options } = description as Settings & { format: number; ids: (string | null)[] };
  return { options, ids };
}

async function readExact(path: string, shape: Shape, vectorBytes: number): Promise<ExactRows> {
  const file = await open(path);
  try {
    const bytes = await readBytes(file, 0, vectorBytes);
    return new ExactRows(shape, new Float32Array(bytes.buffer));
  } finally {
    await file.close();
  }
}

function openHnsw(path: string, shape: Shape, mapped: boolean): HnswRows {
  try {
    return new HnswRows(shape, { path, mapped });
  } catch (cause) {
    throw invalidIndex(path, (cause as Error).message, { cause });
  }
}
