import type { Dialect } from '../dialect.js';
import { askForResults, readResults, resultsOf, resultsSchema, type ResultsBody, writeResults } from './results.js';

/** The infinity server, which gives documents as strings. */
export const infinity: Dialect = {
  source: 'https://github.com/michaelfeil/infinity',
  routes: [
    {
      summary: 'Rank documents by how well they answer a query',
      path: '/rerank',
      body: resultsSchema,
      read: readResults,
      write: (outcome, body: ResultsBody) => ({
        ...writeResults(outcome, body, false, (text) => text),
        object: 'rerank',
      }),
    },
  ],
  statuses: { 'unknown-model': 400 },
  writeFailure: ({ message, kind }, status) => ({ error: { message, type: kind, param: null, code: status } }),
  client: { path: '/rerank', body: askForResults, entries: resultsOf },
};
