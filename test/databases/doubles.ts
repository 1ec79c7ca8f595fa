// What the tests of both databases search.

import type { Encoder } from 'zrank';
import type { StoredDocument } from 'zrank/pgvector';

export const pets: StoredDocument[] = [
  { id: 'a', text: 'the cat sat with another cat', metadata: { kind: 'cat', year: 1 } },
  { id: 'b', text: 'a dog barked at the cat', metadata: { kind: 'dog', year: 1 } },
  { id: 'c', text: 'fish swim', metadata: { kind: 'fish', year: 2 } },
  { id: 'd', title: 'Dog', text: 'it is a dog', metadata: { kind: 'dog', year: 2, more: ['x', null] } },
];

export const idsOf = (hits: { id: string }[]) => hits.map(({ id }) => id);

/** An encoder whose vectors are given by text. */
export class Given implements Encoder {
  readonly dimensions: number;
  readonly similarity;
  readonly #vectors: ReadonlyMap<string, Float32Array>;
  constructor(vectors: ReadonlyMap<string, Float32Array>, similarity: 'cosine' | 'dot' | 'euclidean' = 'cosine') {
    this.#vectors = vectors;
    this.dimensions = [...vectors.values()][0]!.length;
    this.similarity = similarity;
  }
  async encode(texts: readonly string[]) {
    return texts.map((text) => this.#vectors.get(text)!);
  }
}
