import type { DocumentInterface } from '@langchain/core/documents';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import type { RankOptions } from '../index.js';
import { type AdapterOptions, SharedReranker } from './shared-reranker.js';

/**
 * Ranks documents by how well they answer the query, best first, and keeps `topN`. Each keeps its metadata, with a
 * `relevanceScore` of 0 to 1 beside them.
 */
export class ZrankCompressor extends BaseDocumentCompressor {
  readonly #reranker: SharedReranker;
  readonly #options: RankOptions;

  constructor({ reranker, load, ...options }: AdapterOptions) {
    super();
    this.#reranker = new SharedReranker(reranker, load);
    this.#options = options;
  }

  override async compressDocuments(documents: DocumentInterface[], query: string): Promise<DocumentInterface[]> {
    const reranker = await this.#reranker.get();
    const texts = documents.map(({ pageContent }) => pageContent);
    const hits = await reranker.rank(query, texts, this.#options);
    return hits.map(({ index, score }) => {
      const document = documents[index]!;
      return { ...document, metadata: { ...document.metadata, relevanceScore: score } };
    });
  }

  /** Frees the model, where it was loaded here. */
  close(): Promise<void> {
    return this.#reranker.close();
  }
}
