import type { Dialect } from '../dialect.js';
import { askForResults, resultsOf } from './results.js';
import { count, list, model, object, optionalText, paired, query, text } from './schema.js';

interface Body {
  model?: string | null;
  query: string;
  documents: string[];
  top_n?: number | null;
}

/** Of a request, as it counts them for its rate limit: 150, the query and the document for each document. */
function totalBytes({ query, documents }: Body): number {
  const queryBytes = Buffer.byteLength(query);
  return documents.reduce((sum, document) => sum + 150 + queryBytes + Buffer.byteLength(document), 0);
}

/** ZeroEntropy's hosted API. */
export const zeroentropy: Dialect = {
  source: 'https://docs.zeroentropy.dev/api-reference/models/rerank',
  routes: [
    {
      summary: 'Rank documents by how well they answer a query',
      path: '/v1/models/rerank',
      body: object(
        {
          model,
          query,
          documents: list(text('a document'), 'the documents'),
          top_n: count('how many results; all where it is absent'),
          latency: optionalText('means nothing here: every answer is `fast`'),
        },
        ['query', 'documents'],
      ),
      read: (body: Body) => ({
        model: body.model ?? undefined,
        pairs: paired(body.query, body.documents),
        topN: body.top_n ?? undefined,
      }),
      write: ({ ranking, tokens, totalMs, computeMs }, body: Body) => ({
        results: ranking.map(({ index, score }) => ({ index, relevance_score: score })),
        actual_latency_mode: 'fast',
        e2e_latency: totalMs / 1000,
        inference_latency: computeMs / 1000,
        total_bytes: totalBytes(body),
        total_tokens: tokens,
      }),
    },
  ],
  statuses: {},
  writeFailure: ({ message }) => ({ detail: message }),
  client: { path: '/v1/models/rerank', body: askForResults, entries: resultsOf },
};
