import type { Dialect } from '../dialect.js';
import { askForResults, readResults, resultsOf, resultsSchema, type ResultsBody, writeResults } from './results.js';

/** Jina's hosted API. */
export const jina: Dialect = {
  source: 'https://api.jina.ai/docs',
  routes: [
    {
      summary: 'Rank documents by how well they answer a query',
      path: '/v1/rerank',
      body: resultsSchema,
      read: readResults,
      write: (outcome, body: ResultsBody) => writeResults(outcome, body, true),
    },
  ],
  statuses: {},
  writeFailure: ({ message }) => ({ detail: message }),
  client: {
    path: '/v1/rerank',
    body: (question, model) => ({ ...askForResults(question, model), return_documents: false }),
    entries: resultsOf,
  },
};
