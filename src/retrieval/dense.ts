import { throwIfAborted, ZrankError } from '../error.js';
import type { Similarity } from '../networks/encoder/sentence-transformer.js';
import { checkNewIds, checkSearch } from './check.js';
import type { EncoderFingerprint } from './fingerprint.js';
import {
  type CorpusDocument,
  type Retrieved,
  type Retriever,
  type RetrieverCallOptions,
  searchableText,
} from './retriever.js';
import { VectorIndex } from './vector-index.js';
import { type Metric, metrics } from './vector-rows.js';

/** What turns texts into vectors; a BiEncoder is one. */
export interface Encoder {
  /** Length of a vector. */
  readonly dimensions: number;
  /** What its vectors are compared by. @default 'cosine', and any metric of an index of your own */
  readonly similarity?: Similarity | undefined;
  /** Whether vectors have unit length, so that their dot product is their cosine. @default false */
  readonly isNormalized?: boolean;
  /** Tells it from encoders that make other vectors: an index that remembers one takes no other. @default unknown */
  readonly fingerprint?: EncoderFingerprint;
  /** A vector for each text, in their order. */
  encode(
    texts: readonly string[],
    options: { kind: 'query' | 'document'; signal?: AbortSignal },
  ): Promise<Float32Array[]>;
}

export interface DenseOptions {
  encoder: Encoder;
  /** Where the vectors are kept. @default a new exact index by the encoder's similarity */
  index?: VectorIndex;
}

/** Search by the nearness of embeddings. */
export class DenseRetriever implements Retriever {
  readonly #encoder: Encoder;
  /** The index behind it, to save it for instance. */
  readonly index: VectorIndex;

  /**
   * @throws ZrankError INVALID_ARGUMENT for an index of other dimensions or by another similarity; INDEX_INVALID for
   * one that another encoder filled; ARCHITECTURE_UNSUPPORTED for an encoder whose similarity no index computes
   */
  constructor({ encoder, index = indexFor(encoder) }: DenseOptions) {
    checkIndex(encoder, index);
    if (encoder.fingerprint !== undefined) index.bindEncoder(encoder.fingerprint);
    this.#encoder = encoder;
    this.index = index;
  }

  get size(): number {
    return this.index.size;
  }

  has(id: string): boolean {
    return this.index.has(id);
  }

  async add(documents: readonly CorpusDocument[], { signal }: RetrieverCallOptions = {}): Promise<void> {
    const ids = documents.map(({ id }) => id);
    checkNewIds(ids, (id) => this.index.has(id));
    const vectors = await embed(this.#encoder, documents.map(searchableText), 'document', signal);
    await this.index.add(ids, vectors);
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.index.remove(ids);
  }

  async search(query: string, k: number, { signal }: RetrieverCallOptions = {}): Promise<Retrieved[]> {
    checkSearch(query, k);
    const [vector] = await embed(this.#encoder, [query], 'query', signal);
    return this.index.search(vector!, k);
  }
}

function indexFor(encoder: Encoder): VectorIndex {
  return new VectorIndex({ dimensions: encoder.dimensions, metric: indexedSimilarity(encoder) });
}

/** The encoder's similarity. @throws ZrankError ARCHITECTURE_UNSUPPORTED for one that no index computes */
export function indexedSimilarity({ similarity = 'cosine' }: Encoder): Metric {
  if (similarity !== 'manhattan') return similarity;
  throw new ZrankError(
    'ARCHITECTURE_UNSUPPORTED',
    `expected a model for ${metrics.join(', ')} but received one whose similarity_fn_name is ${similarity}`,
    { expected: metrics.join(', '), received: similarity },
  );
}

/** A vector for each text, in their order. @throws ZrankError ABORTED, and what the encoder throws */
export async function embed(
  encoder: Encoder,
  texts: readonly string[],
  kind: 'query' | 'document',
  signal: AbortSignal | undefined,
): Promise<Float32Array[]> {
  const vectors = await encoder.encode(texts, { kind, ...(signal && { signal }) });
  throwIfAborted(signal);
  return vectors;
}

function checkIndex({ dimensions, similarity, isNormalized }: Encoder, index: VectorIndex): void {
  if (index.dimensions !== dimensions)
    throw ZrankError.argument(
      'the index',
      `vectors of ${dimensions} dimensions, as the encoder makes them,`,
      index.dimensions,
    );
  const sameOrder = isNormalized && similarity !== 'manhattan';
  if (similarity !== undefined && similarity !== index.metric && !sameOrder)
    throw ZrankError.argument(
      'the metric of the index',
      `"${similarity}", which the encoder is made for,`,
      index.metric,
    );
}
