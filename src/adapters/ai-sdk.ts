import type { JSONObject, RerankingModelV4 } from '@ai-sdk/provider';
import type { LoadOptions, Reranker } from '../index.js';
import { SharedReranker } from './shared-reranker.js';

export interface ZrankModel extends RerankingModelV4 {
  /** Frees the model, where it was loaded here. */
  close(): Promise<void>;
}

/**
 * A reranking model for `rerank()` of the AI SDK. Of objects the `text` is ranked or, without one, their JSON;
 * `providerOptions: { zrank: { instruction } }` says what makes a document relevant.
 *
 * @param model a Reranker, or a folder, which is loaded at the first call
 */
export function zrank(model: Reranker | string, load?: LoadOptions): ZrankModel {
  const shared = new SharedReranker(model, load);
  const modelId = typeof model === 'string' ? model : 'zrank';
  return {
    specificationVersion: 'v4',
    provider: 'zrank',
    modelId,
    async doRerank({ documents, query, topN, abortSignal, providerOptions }) {
      const reranker = await shared.get();
      const instruction = providerOptions?.['zrank']?.['instruction'];
      const texts = documents.type === 'text' ? documents.values : documents.values.map(textOf);
      let timing: JSONObject = {};
      const hits = await reranker.rank(query, texts, {
        topN,
        signal: abortSignal,
        ...(typeof instruction === 'string' && { instruction }),
        onTiming: (parts) => (timing = { ...parts }),
      });
      return {
        ranking: hits.map(({ index, score }) => ({ index, relevanceScore: score })),
        providerMetadata: { zrank: { ...timing, truncated: hits.filter((hit) => hit.truncated).length } },
        response: { modelId, timestamp: new Date() },
      };
    },
    close: () => shared.close(),
  };
}

function textOf(value: JSONObject): string {
  return typeof value['text'] === 'string' ? value['text'] : JSON.stringify(value);
}
