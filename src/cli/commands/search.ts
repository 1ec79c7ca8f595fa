import { createInterface } from 'node:readline/promises';
import { isCallFailure, ZrankError } from '../../error.js';
import { readLines } from '../../files/lines.js';
import { DocumentIndex } from '../../retrieval/document-index.js';
import { RetrieveAndRerank } from '../../retrieval/pipeline.js';
import { defineCommand, positiveInteger } from '../command.js';
import { readCorpus } from '../corpus.js';
import { instructionOption, loadReranker, modelOption, rerankerOptions } from '../model-options.js';
import { locateReranker } from '../models.js';
import { headline, log, oneLine, print } from '../output.js';
import { ProgressBar } from '../progress.js';
import { openRetriever, retrieverOption } from '../retriever.js';

export const command = defineCommand({
  description: 'Searches for the query or, without one, for each line typed or piped in.',
  positionals: {
    source: {
      description:
        'a folder of texts, a text file (both are cut into passages), or a .jsonl or .json file ' +
        '(strings, or objects with "text" and perhaps "id" and "title"); - for stdin',
    },
    query: { description: 'what to search for', optional: true },
  },
  options: {
    top: { value: 'n', description: 'hits to print', parse: positiveInteger, default: 5 },
    candidates: { value: 'n', description: 'documents retrieved and reranked', parse: positiveInteger, default: 50 },
    retriever: retrieverOption,
    rerank: { negation: 'print what the retriever finds, in its order' },
    json: {
      description:
        'print an array of hits for each query: over several lines for <query>, else one line each, {error} for one that fails',
    },
    model: modelOption,
    instruction: instructionOption,
    ...rerankerOptions,
  },
  async run({
    source: path,
    query,
    top: topN,
    candidates,
    retriever,
    rerank,
    json = false,
    model,
    instruction,
    pull,
    ...options
  }) {
    if (path === '-' && query === undefined)
      throw new ZrankError('INVALID_ARGUMENT', 'expected a query, since standard input holds the texts');
    const source = await openRetriever(retriever, pull);
    try {
      if (rerank) {
        const { folder } = await locateReranker(model, { pull });
        await using reranker = await loadReranker(folder, options);
        const pipeline = new RetrieveAndRerank({
          retriever: source.create(),
          reranker,
          candidates: Math.max(topN, candidates),
        });
        await fill(pipeline, path);
        return await answer(query, json, (text) => pipeline.search(text, { topN, instruction }));
      } else {
        const index = new DocumentIndex(source.create());
        await fill(index, path);
        return await answer(query, json, async (text) =>
          (await index.search(text, topN)).map(({ id, document, retrievalRank: rank, retrievalScore: score }) => ({
            rank,
            id,
            score,
            document,
          })),
        );
      }
    } finally {
      await source.close();
    }
  },
});

interface SearchHit {
  rank: number;
  id: string;
  score: number;
  document: { text: string; title?: string };
  retrievalRank?: number;
}

async function fill(index: Pick<DocumentIndex, 'index'>, folder: string): Promise<void> {
  const bar = new ProgressBar('indexing');
  const corpus = readCorpus(folder, (path, reason) => log(`${path} is left out: ${reason}`));
  const indexed = await index.index(corpus, {
    onProgress: ({ indexed: completed }) => bar.update({ completed }),
  });
  bar.done();
  log(`${indexed} ${indexed === 1 ? 'text' : 'texts'} indexed`);
}

/** Answers the one query, or each line of standard input; a line that fails is told of, and makes the exit code 1. */
async function answer(
  query: string | undefined,
  json: boolean,
  find: (query: string) => Promise<SearchHit[]>,
): Promise<number> {
  if (query !== undefined) {
    const hits = await find(query);
    print(json ? hits : table(hits));
    return 0;
  }
  let code = 0;
  const fail = (error: unknown): void => {
    if (!isCallFailure(error)) throw error;
    code = 1;
    log(`${error.message} [${error.code}]`);
    if (json) print(`${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`);
  };
  for await (const line of queries(fail)) {
    if (line.trim() === '') continue;
    try {
      const hits = await find(line);
      print(`${json ? JSON.stringify(hits) : table(hits)}\n`);
    } catch (error) {
      fail(error);
    }
  }
  return code;
}

async function* queries(onBadLine: (error: ZrankError) => void): AsyncGenerator<string> {
  if (!process.stdin.isTTY) {
    for await (const { text } of readLines('-', { onBadLine })) yield text;
    return;
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true, prompt: 'query> ' });
  lines.prompt();
  for await (const line of lines) {
    yield line;
    lines.prompt();
  }
}

/** A hit on two lines: its rank, score, id and rank before; its text's beginning. */
function table(hits: readonly SearchHit[]): string {
  if (hits.length === 0) return 'nothing found\n';
  // Not known where it is no terminal, 0 on some that are.
  const textWidth = (process.stdout.columns || 120) - 6;
  return hits
    .map(({ rank, score, id, document, retrievalRank }) => {
      const moved = retrievalRank === undefined ? '' : `  (retrieved as ${retrievalRank})`;
      const content = headline(document, textWidth);
      return `${String(rank).padStart(3)}.  ${score.toFixed(4)}  ${oneLine(id)}${moved}\n      ${content}\n`;
    })
    .join('');
}
