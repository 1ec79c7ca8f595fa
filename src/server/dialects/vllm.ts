import { Failure, type Dialect, type FailureKind, type ScoreRoute } from '../dialect.js';
import {
  askForResults,
  isRaw,
  readResults,
  resultsOf,
  resultsSchema,
  type ResultsBody,
  writeResults,
} from './results.js';
import { count, flag, list, model, object, optionalText } from './schema.js';

const types: Readonly<Partial<Record<FailureKind, string>>> = {
  unauthorized: 'AuthenticationError',
  'unknown-route': 'NotFoundError',
  'unknown-model': 'NotFoundError',
  overloaded: 'RateLimitError',
  unavailable: 'ServiceUnavailableError',
  'not-finite': 'InternalServerError',
  internal: 'InternalServerError',
  timeout: 'GatewayTimeoutError',
};

const rerank = (path: string): ScoreRoute => ({
  summary: 'Rank documents by how well they answer a query',
  path,
  body: resultsSchema,
  read: readResults,
  write: (outcome, body: ResultsBody) => writeResults(outcome, body, true, (text) => ({ text, multi_modal: null })),
});

const texts = { anyOf: [{ type: 'string' }, list({ type: 'string' }, 'several')] };
type Texts = string | readonly string[];

interface ScoreBody
  extends Pick<ResultsBody, 'model' | 'instruction' | 'max_tokens_per_doc' | 'truncate_prompt_tokens'> {
  [side: string]: unknown;
}

/** The two sides of a body, by the names that vLLM has given them. */
const sides: readonly (readonly [string, string])[] = [
  ['queries', 'documents'],
  ['queries', 'items'],
  ['data_1', 'data_2'],
  ['text_1', 'text_2'],
];

const score = (path: string): ScoreRoute => ({
  summary: 'Score pairs: one query with each document, or each query with its own',
  path,
  body: {
    ...object(
      {
        model,
        ...Object.fromEntries(sides.flat().map((side) => [side, texts])),
        instruction: optionalText('what makes a document relevant, in words'),
        max_tokens_per_doc: count('a longer document is cut'),
        truncate_prompt_tokens: count('a longer prompt has its document cut', -1),
        use_activation: flag('false asks for raw scores', true),
      },
      [],
    ),
    anyOf: sides.map((required) => ({ required })),
  },
  read: (body: ScoreBody) => {
    const [left, right] = sides.find(([a, b]) => a in body && b in body)!;
    const queries = [body[left] as Texts].flat() as string[];
    const documents = [body[right] as Texts].flat() as string[];
    if (queries.length !== 1 && queries.length !== documents.length) {
      const lengths = `${queries.length} and ${documents.length}`;
      throw new Failure('invalid', `expected one text in ${left}, or as many as in ${right}, but received ${lengths}`);
    }
    const { pairs: _, ...settings } = readResults({ ...body, query: '', documents: [] });
    return {
      ...settings,
      pairs: documents.map((document, i): [string, string] => [queries[queries.length === 1 ? 0 : i]!, document]),
    };
  },
  write: ({ id, created, model, scores, tokens }, body: ScoreBody) => ({
    id: `score-${id}`,
    object: 'list',
    created,
    model,
    data: scores.map(({ index, score, logit }) => ({
      index,
      object: 'score',
      score: isRaw(body) ? logit : score,
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  }),
});

/** vLLM's OpenAI-like server. */
export const vllm: Dialect = {
  source: 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#re-rank-api',
  routes: [...['/rerank', '/v1/rerank', '/v2/rerank'].map(rerank), ...['/score', '/v1/score'].map(score)],
  statuses: { invalid: 400, empty: 400, 'too-many': 400, 'too-long': 400 },
  writeFailure: ({ kind, message }, status) => ({
    error: { message, type: types[kind] ?? 'BadRequestError', param: null, code: status },
    // Where clients of Cohere's v1 and of Jina look, who share these paths.
    message,
    detail: message,
  }),
  client: { path: '/v1/rerank', body: askForResults, entries: resultsOf },
};
