import { readTokenizer } from '../checkpoint/folder.js';
import { readCrossEncoder } from '../networks/network.js';
import { seededRandom } from '../random.js';
import { Tokenizer } from '../tokenization/tokenizer.js';
import { drawLength, type Lengths } from './scenario.js';
import { TextSource } from './text.js';

/** What a user sends at once: a query and its documents. */
export interface Request {
  query: string;
  documents: string[];
}

/** One timed unit: a rerank request, or as many requests of one document as there are pairs. */
export interface Call {
  requests: Request[];
  pairs: [query: string, document: string][];
  /** Tokens of each pair's complete prompt. */
  promptTokens: number[];
}

export interface WorkloadOptions {
  /** How many calls to make, warm-ups included. */
  calls: number;
  documents: number;
  documentTokens: Lengths;
  queryTokens: number;
  sharedQuery: boolean;
  seed: number;
}

/** Generates the calls of a run for a model folder's tokenizer and prompts; the same options give the same texts. */
export async function makeCalls(folder: string, options: WorkloadOptions): Promise<Call[]> {
  const { encoder, maxLength } = await readCrossEncoder(folder);
  const tokenizer = await readTokenizer(folder);
  const source = await TextSource.create(new Tokenizer(tokenizer), tokenizer, options.seed);
  const random = seededRandom(options.seed + 1);
  const calls: Call[] = [];
  for (let i = 0; i < options.calls; i++) {
    const documents = await source.texts(
      Array.from({ length: options.documents }, () => drawLength(options.documentTokens, random)),
    );
    const queries = await source.texts(
      Array.from({ length: options.sharedQuery ? 1 : options.documents }, () => options.queryTokens),
    );
    const requests = options.sharedQuery
      ? [{ query: queries[0]!, documents }]
      : documents.map((document, k) => ({ query: queries[k]!, documents: [document] }));
    const pairs = requests.flatMap(({ query, documents: some }) =>
      some.map((document): [string, string] => [query, document]),
    );
    const prompts = await encoder.encode(pairs, { maxLength, truncation: 'document', specialTokens: 'parse' });
    calls.push({ requests, pairs, promptTokens: prompts.map(({ ids }) => ids.length) });
  }
  return calls;
}
