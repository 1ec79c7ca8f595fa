/** A document of a corpus, as BEIR has them. */
export interface CorpusDocument {
  readonly id: string;
  readonly text: string;
  readonly title?: string;
}

export interface Retrieved {
  id: string;
  /** Higher is better; its scale is the retriever's own. */
  score: number;
}

export interface RetrieverCallOptions {
  /** Ends the call with ABORTED. */
  signal?: AbortSignal;
  /** Which documents are searched, in the retriever's own form; of search() alone, and of retrievers that take filters. */
  filter?: unknown;
}

/** What finds candidates for the reranker. */
export interface Retriever {
  /** How many documents it holds. */
  readonly size: number;
  /** Whether search() takes a filter. @default false */
  readonly takesFilters?: boolean;
  /** Whether it holds a document. */
  has(id: string): boolean | Promise<boolean>;
  /**
   * Documents by their ids, in their order; undefined for those that are not there. Of retrievers that keep the documents
   * themselves, as databases do.
   */
  documents?(ids: readonly string[], options?: RetrieverCallOptions): Promise<(CorpusDocument | undefined)[]>;
  /**
   * Adds documents: all of them, or, where it fails, none.
   *
   * @throws ZrankError DUPLICATE_ID for an id that is there already or comes twice
   */
  add(documents: readonly CorpusDocument[], options?: RetrieverCallOptions): Promise<void>;
  /**
   * Removes documents: all of them, or, where it fails, none.
   *
   * @throws ZrankError UNKNOWN_ID for an id that is not there
   */
  remove(ids: readonly string[]): Promise<void>;
  /** At most k documents, best first, each once. */
  search(query: string, k: number, options?: RetrieverCallOptions): Promise<Retrieved[]>;
}

/** Those of the ids that the retriever holds. */
export async function knownIds(ids: readonly string[], retriever: Pick<Retriever, 'has'>): Promise<Set<string>> {
  const known = await Promise.all(ids.map((id) => retriever.has(id)));
  return new Set(ids.filter((_, i) => known[i]));
}

/** What is searched and scored of a document: title and text, parted by a space where there are both, as in BEIR. */
export function searchableText({ title, text }: Pick<CorpusDocument, 'title' | 'text'>): string {
  return title && text ? `${title} ${text}` : title || text;
}
