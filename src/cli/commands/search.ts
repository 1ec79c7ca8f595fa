import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { ZrankError } from '../error.js';
import { Reranker } from '../reranker.js';
import { DocumentIndex } from '../retrieval/document-index.js';
import { RetrieveAndRerank } from '../retrieval/pipeline.js';
import { count, defined, loadFlags, loadHelp, loadOptions } from './arguments.js';
import { readCorpus } from './corpus.js';
import { modelFolder } from './model-folder.js';
import { ProgressBar } from './progress.js';
import { openRetriever, retrieverHelp } from './retriever-option.js';

const help = `Usage: zrank search SOURCE [QUERY] [OPTIONS]

Indexes SOURCE and searches it for QUERY, or, without one, for each line typed or piped in.
SOURCE is a folder of texts, a text file (both are cut into passages), or a .jsonl file (strings, or objects with
"text" and perhaps "id" and "title").

  --top N               hits to print [5]
  --candidates N        documents retrieved and reranked [50]
  --retriever NAME      ${retrieverHelp}
  --model FOLDER        the reranker's model folder [ZRANK_MODEL, else the embedded zrank-tiny]
  --no-rerank           print what the retriever finds, in its order
  --json                print an array of hits for each query: over several lines for QUERY, else one line each
  --instruction TEXT    what makes a document relevant
${loadHelp}`;

interface SearchHit {
  rank: number;
  id: string;
  score: number;
  document: { text: string; title?: string };
  retrievalRank?: number;
}

/** zrank search */
export async function search(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      top: { type: 'string', default: '5' },
      candidates: { type: 'string', default: '50' },
      retriever: { type: 'string' },
      model: { type: 'string' },
      'no-rerank': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      instruction: { type: 'string' },
      ...loadFlags,
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [folder, query, ...rest] = positionals;
  if (folder === undefined || rest.length > 0)
    throw new ZrankError('INVALID_ARGUMENT', 'zrank search takes a SOURCE and perhaps one QUERY');
  const topN = count('--top', values.top)!;
  const candidates = Math.max(topN, count('--candidates', values.candidates)!);
  const source = await openRetriever(values.retriever);
  try {
    if (values['no-rerank']) {
      const index = new DocumentIndex(source.create());
      await fill(index, folder);
      await answer(query, values.json, async (text) =>
        (await index.search(text, topN)).map(({ id, document, retrievalRank: rank, retrievalScore: score }) => ({
          rank,
          id,
          score,
          document,
        })),
      );
    } else {
      const { instruction } = values;
      await using reranker = await Reranker.load(modelFolder(values.model), loadOptions(values));
      const pipeline = new RetrieveAndRerank({ retriever: source.create(), reranker, candidates });
      await fill(pipeline, folder);
      await answer(query, values.json, (text) => pipeline.search(text, { topN, ...defined({ instruction }) }));
    }
  } finally {
    await source.close();
  }
  return 0;
}

async function fill(index: Pick<DocumentIndex, 'index'>, folder: string): Promise<void> {
  const bar = new ProgressBar('indexing');
  const skip = (path: string, reason: string): boolean =>
    process.stderr.write(`zrank: ${path} is left out: ${reason}\n`);
  const indexed = await index.index(readCorpus(folder, skip), {
    onProgress: ({ indexed: completed }) => bar.update({ completed }),
  });
  bar.done();
  process.stderr.write(`zrank: ${indexed} ${indexed === 1 ? 'text' : 'texts'} indexed\n`);
}

/** Answers the one query, or each line of standard input. */
async function answer(
  query: string | undefined,
  json: boolean,
  find: (query: string) => Promise<SearchHit[]>,
): Promise<void> {
  if (query !== undefined) {
    const hits = await find(query);
    process.stdout.write(json ? `${JSON.stringify(hits, null, 2)}\n` : table(hits));
    return;
  }
  const isTyped = process.stdin.isTTY;
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: isTyped, prompt: 'query> ' });
  if (isTyped) lines.prompt();
  for await (const line of lines) {
    if (line.trim() !== '') {
      const hits = await find(line);
      process.stdout.write(json ? `${JSON.stringify(hits)}\n` : `${table(hits)}\n`);
    }
    if (isTyped) lines.prompt();
  }
}

/** A hit on two lines: its rank, score, id and rank before; its text's beginning. */
function table(hits: readonly SearchHit[]): string {
  if (hits.length === 0) return 'nothing found\n';
  // Not known where it is no terminal, 0 on some that are.
  const room = (process.stdout.columns || 120) - 6;
  return hits
    .map(({ rank, score, id, document: { title, text }, retrievalRank }) => {
      const moved = retrievalRank === undefined ? '' : `  (retrieved as ${retrievalRank})`;
      const content = `${title ? `${title}: ` : ''}${text}`.replace(/\s+/g, ' ').trim();
      return `${String(rank).padStart(3)}.  ${score.toFixed(4)}  ${id}${moved}\n      ${content.length > room ? `${content.slice(0, room - 1)}…` : content}\n`;
    })
    .join('');
}
