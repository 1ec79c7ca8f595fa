// Stand-ins for the models: real ones are slow, and their scores are nobody's to predict.
import type { CandidateRanker, CorpusDocument, Encoder } from 'zrank';

/** Counts a few words: a vector [3] of how often `cat`, `dog` and `fish` occur. */
export class WordCounter implements Encoder {
  readonly dimensions = 3;
  readonly kinds: string[] = [];

  async encode(texts: readonly string[], { kind }: { kind: 'query' | 'document' }): Promise<Float32Array[]> {
    this.kinds.push(kind);
    return texts.map((text) => Float32Array.from(['cat', 'dog', 'fish'], (word) => text.split(word).length - 1));
  }
}

/** Prefers short documents: the logit is minus the length. */
export const shortestFirst: CandidateRanker = {
  async rank(_query, documents, { topN, signal } = {}) {
    signal?.throwIfAborted();
    return documents
      .map((document, index) => ({
        index,
        score: 1 / (1 + document.length),
        logit: -document.length,
        tokens: 1,
        truncated: false,
      }))
      .sort((a, b) => b.logit - a.logit || a.index - b.index)
      .slice(0, topN);
  },
};

export const pets: CorpusDocument[] = [
  { id: 'a', text: 'the cat sat with another cat' },
  { id: 'b', text: 'a dog barked at the cat' },
  { id: 'c', text: 'fish swim' },
  { id: 'd', title: 'Dog', text: 'it is a dog' },
];
