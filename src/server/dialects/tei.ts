import type { Dialect, FailureKind, ScoreRoute, Scored, TextRoute } from '../dialect.js';
import { flag, list, object, paired, query, text } from './schema.js';

const types: Readonly<Partial<Record<FailureKind, string>>> = {
  overloaded: 'Overloaded',
  unavailable: 'Unhealthy',
  empty: 'Empty',
  'not-finite': 'Backend',
  internal: 'Backend',
  timeout: 'Backend',
};

const settings = {
  truncate: flag('cut documents that are too long; where it is false, they are an error', true),
  raw_scores: flag("the model's raw scores instead of 0 to 1", false),
  truncation_direction: {
    enum: ['Left', 'Right', 'left', 'right', null],
    description: 'the end is cut whatever it says',
  },
};
const truncation = (truncate: boolean | null | undefined) => (truncate === false ? 'error' : 'document');
const score = ({ score, logit }: Scored, raw: boolean | null | undefined) => (raw ? logit : score);

const rerank: ScoreRoute = {
  summary: 'Rank texts by how well they answer a query',
  path: '/rerank',
  body: object(
    {
      query,
      texts: list(text('a document'), 'the documents'),
      return_text: flag('put each text into the answer', false),
      ...settings,
    },
    ['query', 'texts'],
  ),
  claims: (body) => 'texts' in body,
  read: (body: { query: string; texts: string[]; truncate?: boolean }) => ({
    pairs: paired(body.query, body.texts),
    truncation: truncation(body.truncate),
  }),
  write: ({ ranking }, body: { texts: string[]; return_text?: boolean; raw_scores?: boolean }) =>
    ranking.map((scored) => ({
      index: scored.index,
      ...(body.return_text && { text: body.texts[scored.index] }),
      score: score(scored, body.raw_scores),
    })),
};

const pair = { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 2 };

const predict: ScoreRoute = {
  summary: 'Score pairs of query and document',
  path: '/predict',
  body: object(
    {
      inputs: { anyOf: [pair, list(pair, 'several')], description: 'a pair [query, document], or a list of pairs' },
      ...settings,
    },
    ['inputs'],
  ),
  read: ({ inputs, truncate }: { inputs: [string, string] | [string, string][]; truncate?: boolean }) => ({
    pairs: isPair(inputs) ? [inputs] : inputs,
    truncation: truncation(truncate),
  }),
  write: ({ scores }, body: { inputs: [string, string] | [string, string][]; raw_scores?: boolean }) => {
    const predictions = scores.map((scored) => [{ score: score(scored, body.raw_scores), label: 'LABEL_0' }]);
    return isPair(body.inputs) ? predictions[0] : predictions;
  },
};

const isPair = (inputs: [string, string] | [string, string][]): inputs is [string, string] =>
  typeof inputs[0] === 'string';

const tokenize: TextRoute = {
  summary: 'Cut texts into tokens',
  path: '/tokenize',
  body: object(
    {
      inputs: { anyOf: [text('a text'), list(text('a text'), 'several')], description: 'a text, or several' },
      add_special_tokens: flag("with the tokenizer's own", true),
    },
    ['inputs'],
  ),
  readTexts: ({
    inputs,
    add_special_tokens: add,
  }: {
    inputs: string | string[];
    add_special_tokens?: boolean | null;
  }) => ({
    texts: [inputs].flat(),
    addSpecialTokens: add !== false,
  }),
  writeTokens: (tokens) =>
    tokens.map((ofText) =>
      ofText.map(({ id, text, special, start, end }) => ({
        id,
        text,
        special,
        start: special ? null : start,
        stop: special ? null : end,
      })),
    ),
};

/** Hugging Face's text-embeddings-inference; equal scores keep the order of the texts, unlike there. */
export const tei: Dialect = {
  source: 'https://huggingface.github.io/text-embeddings-inference',
  routes: [rerank, predict, tokenize],
  statuses: { empty: 400, 'not-finite': 424 },
  writeFailure: ({ kind, message }) => ({ error: message, error_type: types[kind] ?? 'Validation' }),
  client: {
    path: '/rerank',
    body: ({ query, documents }) => ({ query, texts: documents, truncate: true }),
    entries: (reply) => reply,
  },
};
