import { isObject, type JsonObject } from '../../json.js';
import type { Call, Outcome, Question, Scored } from '../dialect.js';
import { count, document, documentTexts, flag, list, model, object, optionalText, paired, query } from './schema.js';

// What vLLM, Jina, Cohere's v1 and infinity have in common: `documents` in, `results` out. The answer has the members
// that any of their clients reads, so at a path that they share it does not matter whose client asks.

export interface ResultsBody {
  model?: string | null;
  query: string;
  documents: readonly (string | { text: string })[];
  top_n?: number | null;
  return_documents?: boolean | null;
  raw_scores?: boolean | null;
  use_activation?: boolean | null;
  activation?: boolean | null;
  instruction?: string | null;
  max_tokens_per_doc?: number | null;
  truncate_prompt_tokens?: number | null;
}

export const resultsSchema = object(
  {
    model,
    query,
    documents: list(document, 'the documents: texts, or objects with a `text`'),
    top_n: count('how many results; all where it is 0 or absent', 0),
    return_documents: flag('put each document into its result'),
    instruction: optionalText('what makes a document relevant, in words'),
    max_tokens_per_doc: count('a longer document is cut'),
    truncate_prompt_tokens: count('a longer prompt has its document cut; -1 is the longest of the model', -1),
    raw_scores: flag("the model's raw scores instead of 0 to 1", false),
    use_activation: flag('false asks for raw scores', true),
    activation: flag('as use_activation', true),
  },
  ['query', 'documents'],
);

export function readResults(body: ResultsBody): Call {
  const { truncate_prompt_tokens: maxLength } = body;
  return {
    model: body.model ?? undefined,
    pairs: paired(body.query, documentTexts(body.documents)),
    topN: body.top_n || undefined,
    instruction: body.instruction ?? undefined,
    maxDocumentTokens: body.max_tokens_per_doc ?? undefined,
    maxLength: maxLength && maxLength > 0 ? maxLength : undefined,
  };
}

export const isRaw = ({ raw_scores, use_activation, activation }: Partial<ResultsBody>): boolean =>
  raw_scores === true || use_activation === false || activation === false;

/** @param asDocument what stands for the text of a document */
export function writeResults(
  { id, created, model, ranking, tokens, truncated }: Outcome,
  body: ResultsBody,
  returnDocuments: boolean,
  asDocument: (text: string) => unknown = (text) => ({ text }),
): JsonObject {
  const raw = isRaw(body);
  const texts = (body.return_documents ?? returnDocuments) ? documentTexts(body.documents) : undefined;
  return {
    id: `rerank-${id}`,
    object: 'list',
    created,
    model,
    results: ranking.map(({ index, score, logit, truncated }: Scored) => ({
      index,
      relevance_score: raw ? logit : score,
      ...(texts && { document: asDocument(texts[index]!) }),
      ...(truncated && { truncated }),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    meta: cohereMeta('1', ranking.length, truncated),
  };
}

/** @see https://docs.cohere.com/reference/rerank: a search unit is up to 100 documents */
export function cohereMeta(version: string, documents: number, truncated: number): JsonObject {
  return {
    api_version: { version },
    billed_units: { search_units: Math.max(1, Math.ceil(documents / 100)) },
    ...(truncated > 0 && { warnings: [truncationWarning(truncated)] }),
  };
}

export const truncationWarning = (truncated: number): string =>
  `${truncated} document${truncated === 1 ? ' was' : 's were'} cut to the longest that the model or the request allows`;

export const askForResults = ({ query, documents }: Question, model: string | undefined): JsonObject => ({
  ...(model !== undefined && { model }),
  query,
  documents,
});

export const resultsOf = (reply: unknown): unknown => (isObject(reply) ? reply['results'] : undefined);
