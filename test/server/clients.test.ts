// The clients that people use, from npm and unmodified, against one server on one port. Real: clients, server, the
// embedded model. They give the same order and scores as rank() in process, and raise their own error classes.

import { CohereClient, CohereClientV2, CohereError, Cohere } from 'cohere-ai';
import { CohereRerank } from '@langchain/cohere';
import { Document } from '@langchain/core/documents';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VoyageAIClient, VoyageAIError } from 'voyageai';
import ZeroEntropy from 'zeroentropy';
import { type Hit, Reranker } from 'zrank';
import { tinyModel } from '../support.js';
import { documents, query, serve } from './servers.js';

let reranker: Reranker;
let busy: Reranker;
let url: string;
let hits: Hit[];
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  reranker = await Reranker.load(tinyModel);
  busy = await Reranker.load(tinyModel, { maxQueueTokens: 1, maxRequestTokens: 1e6, workers: 1 });
  ({ url } = await serve({ models: { tiny: reranker, busy }, apiKeys: ['key', 'other'] }, (end) => ends.push(end)));
  hits = await reranker.rank(query, documents);
});
afterAll(async () => {
  for (const end of ends) await end();
  await Promise.all([reranker.close(), busy.close()]);
});

interface Result {
  index: number;
  score: number;
}

/** What the tests ask of every client. */
interface Client {
  name: string;
  rerank(options: { query?: any; documents?: any; model?: string; topN?: number; key?: string }): Promise<Result[]>;
  /** What each case is raised as. */
  errors: Record<'key' | 'model' | 'empty' | 'many' | 'types' | 'query' | 'full', (error: unknown) => boolean>;
}

const status = (code: number) => (error: unknown) => (error as { statusCode?: number }).statusCode === code;
const is = (type: abstract new (...args: never[]) => unknown, code?: number) => (error: unknown) =>
  error instanceof type && (code === undefined || status(code)(error));

const cohereErrors: Client['errors'] = {
  key: is(Cohere.UnauthorizedError),
  model: is(Cohere.NotFoundError),
  empty: is(Cohere.BadRequestError),
  many: is(Cohere.BadRequestError),
  types: is(Cohere.BadRequestError),
  query: is(Cohere.BadRequestError),
  full: is(Cohere.TooManyRequestsError),
};
const once = { maxRetries: 0 };
const settings = (token = 'key') => ({ environment: url, token, ...once });
const asRank = (results: { index: number; relevanceScore: number }[]): Result[] =>
  results.map(({ index, relevanceScore }) => ({ index, score: relevanceScore }));

const clients: Client[] = [
  {
    name: 'cohere-ai v2',
    rerank: async ({ key, ...given }) => {
      const client = new CohereClientV2(settings(key));
      return asRank((await client.rerank({ query, documents, model: 'tiny', ...given }, once)).results);
    },
    errors: cohereErrors,
  },
  {
    name: 'cohere-ai v1',
    rerank: async ({ key, ...given }) => {
      const client = new CohereClient(settings(key));
      return asRank((await client.rerank({ query, documents, model: 'tiny', ...given }, once)).results);
    },
    errors: cohereErrors,
  },
  {
    name: 'voyageai',
    rerank: async ({ key = 'key', topN, ...given }) => {
      const client = new VoyageAIClient({ apiKey: key, environment: `${url}/v1`, ...once });
      const { data } = await client.rerank({ query, documents, model: 'tiny', ...given, ...(topN && { topK: topN }) });
      return asRank(data as never);
    },
    errors: {
      key: is(VoyageAIError, 401),
      model: is(VoyageAIError, 400),
      empty: is(VoyageAIError, 400),
      many: is(VoyageAIError, 400),
      types: is(VoyageAIError, 400),
      query: is(VoyageAIError, 400),
      full: is(VoyageAIError, 429),
    },
  },
  {
    name: 'zeroentropy',
    rerank: async ({ key = 'key', topN, ...given }) => {
      const client = new ZeroEntropy({ apiKey: key, baseURL: `${url}/v1`, ...once });
      const { results } = await client.models.rerank({
        query,
        documents,
        model: 'tiny',
        ...given,
        top_n: topN ?? null,
      });
      return results.map(({ index, relevance_score: score }) => ({ index, score }));
    },
    errors: {
      key: is(ZeroEntropy.AuthenticationError),
      model: is(ZeroEntropy.NotFoundError),
      empty: is(ZeroEntropy.UnprocessableEntityError),
      many: is(ZeroEntropy.UnprocessableEntityError),
      types: is(ZeroEntropy.UnprocessableEntityError),
      query: is(ZeroEntropy.UnprocessableEntityError),
      full: is(ZeroEntropy.RateLimitError),
    },
  },
  {
    name: '@langchain/cohere',
    rerank: ({ key = 'key', topN, model = 'tiny', query: asked = query, documents: given = documents }) => {
      const client = new CohereRerank({ client: new CohereClient(settings(key)) as never, model });
      client.client = new Proxy(client.client, {
        get: (target: any, name) =>
          name === 'rerank' ? (request: unknown) => target.rerank(request, once) : target[name],
      });
      return client.rerank(given, asked, { topN: topN ?? 100_000 }).then(asRank);
    },
    // It brings a cohere-ai of its own, but uses the client that it is given.
    errors: cohereErrors,
  },
];

describe.each(clients)('$name', (client) => {
  const fails = (given: Parameters<Client['rerank']>[0]) =>
    client.rerank(given).then(
      () => expect.unreachable('it was answered'),
      (error: unknown) => error,
    );

  test('has the order and the scores of rank()', async () => {
    const results = await client.rerank({});
    expect(results.map(({ index }) => index)).toEqual(hits.map(({ index }) => index));
    results.forEach(({ score }, i) => expect(score).toBeCloseTo(hits[i]!.score, 6));
  });

  test('cuts the list', async () => {
    expect(await client.rerank({ topN: 2 })).toHaveLength(2);
  });

  test.each([
    ['key', { key: 'wrong' }],
    ['model', { model: 'unknown' }],
    ['empty', { documents: [] }],
    ['many', { documents: Array(10_001).fill('a') }],
    // Texts of a wrong type do not get past the SDKs.
    ['types', { topN: -1 }],
    ['query', { query: 'bread '.repeat(9_000) }],
  ] as const)('raises its own error: %s', async (name, given) => {
    const error = await fails(given);
    expect(client.errors[name](error), String(error)).toBe(true);
  });

  test('raises its own error: full', async () => {
    const long = Array(150).fill('bread and butter '.repeat(10));
    const calls = await Promise.allSettled([1, 2, 3].map(() => client.rerank({ documents: long, model: 'busy' })));
    const refused = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) expect(client.errors.full(error), String(error)).toBe(true);
  });
});

test('CohereRerank of LangChain compresses documents', async () => {
  const client = new CohereRerank({ client: new CohereClient(settings()) as never, model: 'tiny', topN: 2 });
  const given = documents.map((pageContent, i) => new Document({ pageContent, metadata: { i } }));
  const best = await client.compressDocuments(given, query);
  expect(best.map(({ metadata }) => metadata['i'])).toEqual(hits.slice(0, 2).map(({ index }) => index));
});

test("Cohere's v1 takes objects by rank_fields and gives them back", async () => {
  const client = new CohereClient(settings());
  const rows = documents.map((text, i) => ({ title: `no. ${i}`, body: text }));
  const { results } = await client.rerank({
    query,
    documents: rows,
    model: 'tiny',
    rankFields: ['body'],
    returnDocuments: true,
    topN: 1,
  });
  expect(results[0]!.index).toBe(hits[0]!.index);
  expect(results[0]!.document).toMatchObject(rows[hits[0]!.index]!);
});

test('a full queue is retried as it says, and answered then', async () => {
  const client = new ZeroEntropy({ apiKey: 'key', baseURL: `${url}/v1`, maxRetries: 5 });
  const long = Array(100).fill('bread and butter '.repeat(10));
  const calls = [1, 2, 3].map(() => client.models.rerank({ query, documents: long, model: 'busy' }));
  for (const { results } of await Promise.all(calls)) expect(results).toHaveLength(100);
});

test('errors are those of the SDK', () => expect(new Cohere.BadRequestError(undefined)).toBeInstanceOf(CohereError));
