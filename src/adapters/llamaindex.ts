import type { MessageContent } from '@llamaindex/core/llms';
import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor';
import { MetadataMode, type NodeWithScore } from '@llamaindex/core/schema';
import { type RankOptions, ZrankError } from '../index.js';
import { type AdapterOptions, SharedReranker } from './shared-reranker.js';

/** Ranks nodes by how well their texts answer the query, best first, and keeps `topN`; scores are 0 to 1. */
export class ZrankPostprocessor implements BaseNodePostprocessor {
  readonly #reranker: SharedReranker;
  readonly #options: RankOptions;

  constructor({ reranker, load, ...options }: AdapterOptions) {
    this.#reranker = new SharedReranker(reranker, load);
    this.#options = options;
  }

  async postprocessNodes(nodes: NodeWithScore[], query?: MessageContent): Promise<NodeWithScore[]> {
    if (query === undefined) throw ZrankError.argument('the query', 'a string or message content', query);
    const reranker = await this.#reranker.get();
    const texts = nodes.map(({ node }) => node.getContent(MetadataMode.NONE));
    const hits = await reranker.rank(textOf(query), texts, this.#options);
    return hits.map(({ index, score }) => ({ ...nodes[index]!, score }));
  }

  /** Frees the model, where it was loaded here. */
  close(): Promise<void> {
    return this.#reranker.close();
  }
}

function textOf(content: MessageContent): string {
  if (typeof content === 'string') return content;
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}
