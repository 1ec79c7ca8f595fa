import { isObject } from '../../json.js';
import type { Dialect, ScoreRoute } from '../dialect.js';
import { askForResults } from './results.js';
import { count, flag, list, model, object, paired, query, text } from './schema.js';

interface Body {
  model?: string | null;
  query: string;
  documents: string[];
  top_k?: number | null;
  return_documents?: boolean | null;
  truncation?: boolean | null;
}

const rerank = (path: string): ScoreRoute => ({
  summary: 'Rank documents by how well they answer a query',
  path,
  body: object(
    {
      model,
      query,
      documents: list(text('a document'), 'the documents'),
      top_k: count('how many results; all where it is absent'),
      return_documents: flag('put each document into its result', false),
      truncation: flag('cut documents that are too long; where it is false, they are an error', true),
    },
    ['query', 'documents'],
  ),
  read: (body: Body) => ({
    model: body.model ?? undefined,
    pairs: paired(body.query, body.documents),
    topN: body.top_k ?? undefined,
    truncation: body.truncation === false ? 'error' : 'document',
  }),
  write: ({ model, ranking, tokens }, { documents, return_documents: returnDocuments }: Body) => ({
    object: 'list',
    data: ranking.map(({ index, score }) => ({
      relevance_score: score,
      index,
      ...(returnDocuments && { document: documents[index] }),
    })),
    model,
    usage: { total_tokens: tokens },
  }),
});

/** Voyage's hosted API. Its body is Jina's where it has neither top_k nor truncation; /voyage/v1 is always Voyage. */
export const voyage: Dialect = {
  source: 'https://docs.voyageai.com/reference/reranker-api',
  routes: [
    {
      ...rerank('/v1/rerank'),
      claims: (body, header) =>
        'top_k' in body || 'truncation' in body || header('x-fern-sdk-name')?.startsWith('voyage') === true,
    },
    rerank('/voyage/v1/rerank'),
  ],
  statuses: { invalid: 400, empty: 400, 'too-many': 400, 'too-long': 400, 'unknown-model': 400 },
  writeFailure: ({ message }) => ({ detail: message }),
  client: {
    path: '/v1/rerank',
    body: (question, model) => ({ ...askForResults(question, model), truncation: true }),
    entries: (reply) => (isObject(reply) ? reply['data'] : undefined),
  },
};
