import { ZrankError } from '../error.js';
import { isObject, type JsonObject } from '../json.js';
import type { Request } from './workload.js';

/** How a server is asked to rerank, and where its scores are in the answer. */
export interface Dialect {
  path: string;
  body: (request: Request, model: string | undefined) => JsonObject;
  /** The answer's entries, each with the index of its document. */
  entries: (reply: unknown) => unknown;
}

const member = (name: string) => (reply: unknown) => (isObject(reply) ? reply[name] : undefined);
const withModel = (model: string | undefined) => (model === undefined ? {} : { model });
const reranking = ({ query, documents }: Request, model: string | undefined): JsonObject => ({
  ...withModel(model),
  query,
  documents,
});

/** The wire formats by name. */
export const dialects: Readonly<Record<string, Dialect>> = {
  // https://huggingface.github.io/text-embeddings-inference
  tei: {
    path: '/rerank',
    body: ({ query, documents }) => ({ query, texts: documents, truncate: true }),
    entries: (reply) => reply,
  },
  // https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#re-rank-api
  vllm: { path: '/v1/rerank', body: reranking, entries: member('results') },
  // https://docs.cohere.com/reference/rerank
  cohere: { path: '/v2/rerank', body: reranking, entries: member('results') },
  // https://api.jina.ai/docs
  jina: {
    path: '/v1/rerank',
    body: (request, model) => ({ ...reranking(request, model), return_documents: false }),
    entries: member('results'),
  },
  // https://docs.voyageai.com/reference/reranker-api
  voyage: {
    path: '/v1/rerank',
    body: (request, model) => ({ ...reranking(request, model), truncation: true }),
    entries: member('data'),
  },
  // https://docs.zeroentropy.dev/api-reference/models/rerank
  zeroentropy: { path: '/v1/models/rerank', body: reranking, entries: member('results') },
  // https://github.com/michaelfeil/infinity
  infinity: { path: '/rerank', body: reranking, entries: member('results') },
  // zrank's server takes all of these; this is the one that its own clients use.
  zrank: { path: '/rerank', body: reranking, entries: member('results') },
};

export const dialectNames = Object.keys(dialects);

/** Throws PEER_FAILED unless the answer has one entry for each document. */
export function checkReply(dialect: Dialect, reply: unknown, documents: number, url: string): void {
  const entries = dialect.entries(reply);
  const indices = Array.isArray(entries)
    ? new Set(entries.map((entry) => (isObject(entry) ? entry['index'] : undefined)))
    : new Set();
  const complete =
    indices.size === documents && Array.from({ length: documents }, (_, i) => i).every((i) => indices.has(i));
  if (!complete)
    throw new ZrankError(
      'PEER_FAILED',
      `${url} answered with scores of ${indices.size} documents where ${documents} were sent`,
    );
}
