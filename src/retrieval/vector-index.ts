import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ZrankError } from '../error.js';
import { aPositiveInteger, checkOptions, oneOf } from '../options.js';
import { checkCount, checkKnownIds, checkNewIds } from './check.js';
import type { EncoderFingerprint } from './fingerprint.js';
import { invalidIndex, readBytes, readIndexFile, writeIndexFile } from './index-file.js';
import type { Retrieved } from './retriever.js';
import { ExactRows, HnswRows, type Metric, metrics, type Shape, type VectorRows } from './vector-rows.js';

export interface VectorIndexOptions {
  /** Length of a vector. */
  dimensions: number;
  /**
   * What the score of two vectors is: their cosine, their dot product, or minus their Euclidean distance. @default
   * 'cosine'
   */
  metric?: Metric;
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
  metric: oneOf(...metrics),
  algorithm: oneOf('exact', 'hnsw'),
  connectivity: aPositiveInteger,
  expansionAdd: aPositiveInteger,
  expansionSearch: aPositiveInteger,
};

/** The version of the file that save() writes. In version 1 each vector had one id, and equal ones were not known. */
const fileFormat = 2;
/** Vectors that are added before the event loop gets its turn; a vector of an HNSW graph takes about a millisecond. */
const vectorsPerTurn = { exact: 8192, hnsw: 8 };

/** Vectors under string ids, on usearch. Changes and save() wait for one another; a search sees what is there. */
export class VectorIndex {
  readonly #settings: Settings;
  #rows: VectorRows;
  /** The ids of each row: equal vectors are one row, since many of them would wall off the rest of an HNSW graph. */
  #ids: string[][] = [];
  readonly #rowOfId = new Map<string, number>();
  /**
   * The digest of each row's vector; null where it was removed from an HNSW graph, or read from a file of version 1.
   */
  #digests: (string | null)[] = [];
  readonly #rowOfDigest = new Map<string, number>();
  /** Whose vectors it holds, if that is known. */
  #encoder: EncoderFingerprint | null = null;
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
    const { options, encoder, ids, digests } = parseDescription(path, description);
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
    index.#encoder = encoder;
    index.#ids = ids;
    index.#digests = digests;
    index.#isView = isView;
    ids.forEach((some, row) => some.forEach((id) => index.#rowOfId.set(id, row)));
    digests.forEach((digest, row) => digest !== null && index.#rowOfDigest.set(digest, row));
    const filled = ids.filter((some) => some.length > 0).length;
    if (index.#rows.size !== filled)
      throw invalidIndex(path, `it has ${index.#rows.size} vectors and ids for ${filled}`);
    return index;
  }

  get dimensions(): number {
    return this.#settings.dimensions;
  }

  get metric(): Metric {
    return this.#settings.metric;
  }

  get algorithm(): 'exact' | 'hnsw' {
    return this.#settings.algorithm;
  }

  /**
   * Takes vectors of this encoder alone from now on; save() writes it down. What an index holds already, whose encoder
   * is not known, is taken as it is.
   *
   * @throws ZrankError INDEX_INVALID where it holds the vectors of another encoder
   */
  bindEncoder(encoder: EncoderFingerprint): void {
    if (this.#encoder !== null && this.#encoder.hash !== encoder.hash) {
      const [expected, received] = [this.#encoder, encoder].map(({ model, hash }) => `${model} (${hash})`);
      throw new ZrankError(
        'INDEX_INVALID',
        `the index holds embeddings of ${expected} but received the encoder ${received}: ` +
          'the same model under another name would do, but its files, prompts or maxLength differ; load the one it was made with, or index anew',
        { expected: expected!, received: received! },
      );
    }
    if (this.size === 0) this.#encoder = encoder;
  }

  /** How many ids it holds. */
  get size(): number {
    return this.#rowOfId.size;
  }

  has(id: string): boolean {
    return this.#rowOfId.has(id);
  }

  /**
   * Adds a vector for each id: all of them, or, where it fails, none.
   *
   * @throws ZrankError DUPLICATE_ID; DATA_INVALID for a vector of another length or with a value that is not finite
   */
  async add(ids: readonly string[], vectors: readonly ArrayLike<number>[]): Promise<void> {
    if (ids.length !== vectors.length)
      throw ZrankError.argument('the vectors', `${ids.length}, one for each id,`, vectors);
    const checked = vectors.map((vector, i) => this.#checked(vector, `the vector of document ${ids[i]}`));
    await this.#change(async () => {
      checkNewIds(ids, (id) => this.has(id));
      const turn = vectorsPerTurn[this.#settings.algorithm];
      const added: string[] = [];
      try {
        for (let start = 0; start < ids.length; start += turn) {
          if (start > 0) await nextTurn();
          const some = ids.slice(start, start + turn);
          this.#addSome(some, checked.slice(start, start + turn));
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
      checkKnownIds(ids, (id) => this.has(id));
      for (const id of ids) this.#removeOne(id);
    });
  }

  /**
   * The at most k nearest ids, best first, with their scores by the metric. Holds the thread: exact search passes over
   * all vectors, with all cores; HNSW takes about a millisecond. The cosine with a vector of zeros is 0.
   *
   * @throws ZrankError DATA_INVALID for a vector of another length or with a value that is not finite
   */
  search(vector: ArrayLike<number>, k: number): Retrieved[] {
    checkCount('k', k);
    const query = this.#checked(vector, 'the query vector');
    if (this.size === 0) return [];
    return this.#rows
      .search(query, Math.min(k, this.#rows.size))
      .flatMap(({ row, score }) => this.#ids[row]!.slice(0, k).map((id) => ({ id, score })))
      .slice(0, k);
  }

  /**
   * Writes the index to one file, which takes its name when it is complete: a failure leaves what was there before.
   *
   * @throws ZrankError FILE_NOT_FOUND where the folder is missing, FILE_UNWRITABLE
   */
  async save(path: string): Promise<void> {
    await this.#exclusive(() => {
      const description: Description = {
        format: fileFormat,
        ...this.#settings,
        encoder: this.#encoder,
        ids: this.#ids,
        digests: this.#digests,
      };
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

  #addSome(ids: readonly string[], vectors: readonly Float32Array[]): void {
    const digests = vectors.map(digestOf);
    const fresh = new Map<string, Float32Array>();
    digests.forEach((digest, i) => !this.#rowOfDigest.has(digest) && fresh.set(digest, vectors[i]!));
    if (fresh.size > 0) this.#rows.add(this.#ids.length, [...fresh.values()]);
    for (const digest of fresh.keys()) {
      this.#rowOfDigest.set(digest, this.#digests.push(digest) - 1);
      this.#ids.push([]);
    }
    ids.forEach((id, i) => {
      const row = this.#rowOfDigest.get(digests[i]!)!;
      this.#ids[row]!.push(id);
      this.#rowOfId.set(id, row);
    });
  }

  #removeOne(id: string): void {
    const row = this.#rowOfId.get(id)!;
    this.#rowOfId.delete(id);
    const ids = this.#ids[row]!;
    ids.splice(ids.indexOf(id), 1);
    if (ids.length > 0) return;
    const digest = this.#digests[row]!;
    if (digest !== null) this.#rowOfDigest.delete(digest);
    this.#digests[row] = null;
    const moved = this.#rows.remove(row);
    if (moved !== undefined) this.#move(moved, row);
    if (this.#settings.algorithm === 'exact') {
      this.#ids.pop();
      this.#digests.pop();
    }
  }

  #move(from: number, to: number): void {
    const ids = (this.#ids[to] = this.#ids[from]!);
    for (const id of ids) this.#rowOfId.set(id, to);
    const digest = (this.#digests[to] = this.#digests[from]!);
    if (digest !== null) this.#rowOfDigest.set(digest, to);
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

/** What a file says beside its vectors. */
interface Description extends Settings {
  format: typeof fileFormat;
  encoder: EncoderFingerprint | null;
  ids: string[][];
  digests: (string | null)[];
}

interface DescriptionOfVersion1 extends Settings {
  format: 1;
  ids: (string | null)[];
}

function parseDescription(path: string, value: unknown) {
  const description = value as Description | DescriptionOfVersion1;
  if (description.format === 1) {
    const { format: _, ids, ...options } = description;
    return { options, encoder: null, ids: ids.map((id) => (id === null ? [] : [id])), digests: ids.map(() => null) };
  }
  const { format, encoder, ids, digests, ...options } = description;
  if (format === fileFormat) return { options, encoder, ids, digests };
  throw invalidIndex(path, `expected format 1 or ${fileFormat} but received ${format}, which a later zrank may read`);
}

/** Names a vector; equal vectors alone share it. */
function digestOf({ buffer, byteOffset, byteLength }: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('base64')
    .slice(0, 22);
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
