import { Failure, type Dialect, type ScoreRoute } from '../dialect.js';
import { askForResults, cohereMeta, resultsOf, writeResults } from './results.js';
import { count, flag, list, model, object, paired, query, text } from './schema.js';

interface Body {
  model?: string | null;
  query: string;
  top_n?: number | null;
  max_tokens_per_doc?: number | null;
}

const shared = { model, query, top_n: count('how many results; all where it is absent') };
const defaultDocumentTokens = 4096;

const v2: ScoreRoute = {
  summary: 'Rank documents by how well they answer a query',
  path: '/v2/rerank',
  body: object(
    {
      ...shared,
      documents: list(text('a document'), 'the documents'),
      max_tokens_per_doc: count(`a longer document is cut; ${defaultDocumentTokens} where it is absent`),
    },
    ['query', 'documents'],
  ),
  read: (body: Body & { documents: string[] }) => ({
    model: body.model ?? undefined,
    pairs: paired(body.query, body.documents),
    topN: body.top_n ?? undefined,
    maxDocumentTokens: body.max_tokens_per_doc ?? defaultDocumentTokens,
  }),
  write: ({ id, ranking, scores, truncated }) => ({
    id,
    results: ranking.map(({ index, score }) => ({ index, relevance_score: score })),
    meta: cohereMeta('2', scores.length, truncated),
  }),
};

type Fields = Record<string, unknown>;
interface BodyV1 extends Body {
  documents: (string | Fields)[];
  rank_fields?: string[] | null;
  return_documents?: boolean | null;
}

const v1: ScoreRoute = {
  summary: 'Rank texts, or fields of objects, by how well they answer a query',
  path: '/v1/rerank',
  body: object(
    {
      ...shared,
      documents: list({ type: ['string', 'object'] }, 'the documents: texts or objects'),
      rank_fields: {
        type: ['array', 'null'],
        items: { type: 'string' },
        description: 'which members of an object are its text, in this order; `text` where it is absent',
      },
      return_documents: flag('put each document into its result', false),
      max_chunks_per_doc: count('means nothing here: a document is not parted'),
    },
    ['query', 'documents'],
  ),
  claims: (body, header) =>
    header('x-fern-sdk-name')?.startsWith('cohere') === true || 'rank_fields' in body || 'max_chunks_per_doc' in body,
  read: (body: BodyV1) => ({
    model: body.model ?? undefined,
    pairs: paired(body.query, fieldTexts(body)),
    topN: body.top_n ?? undefined,
  }),
  write: (outcome, { query, documents, ...body }: BodyV1) => ({
    ...writeResults(outcome, { query, documents: [], return_documents: false }, false),
    results: outcome.ranking.map(({ index, score }) => {
      const document = documents[index]!;
      return {
        index,
        relevance_score: score,
        ...(body.return_documents && { document: typeof document === 'string' ? { text: document } : document }),
      };
    }),
  }),
};

function fieldTexts({ documents, rank_fields: fields }: BodyV1): string[] {
  const names = fields?.length ? fields : ['text'];
  return documents.map((document, i) => {
    if (typeof document === 'string') return document;
    const texts = names.map((name) => document[name]).filter((value) => typeof value === 'string');
    if (texts.length === 0) throw new Failure('invalid', `document ${i} has no text in ${names.join(', ')}`);
    return texts.join('\n');
  });
}

/** Cohere's v1 and v2. */
export const cohere: Dialect = {
  source: 'https://docs.cohere.com/reference/rerank',
  routes: [v2, v1],
  statuses: { invalid: 400, empty: 400, 'too-many': 400, 'too-long': 400 },
  writeFailure: ({ message }) => ({ message }),
  client: { path: '/v2/rerank', body: askForResults, entries: resultsOf },
};
