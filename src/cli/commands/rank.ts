import { parseArgs } from 'node:util';
import { ZrankError } from '../error.js';
import { Reranker, type Hit } from '../reranker.js';
import { count, defined, loadFlags, loadHelp, loadOptions } from './arguments.js';
import { readDocuments, readInput, type DocumentLine } from './documents.js';
import { modelFolder } from './model-folder.js';
import { ProgressBar } from './progress.js';

const help = `Usage: zrank rank --query TEXT --documents FILE [OPTIONS]

  --query TEXT          the query, or --query-file FILE
  --documents FILE      .txt (a document a line), .jsonl (strings, or objects with "text" and perhaps "id"), - for stdin
  --model FOLDER        a model folder [ZRANK_MODEL, else the embedded zrank-tiny]
  --top N               print the best N only
  --json                print one JSON array of hits
  --instruction TEXT    what makes a document relevant
${loadHelp}`;

/** zrank rank */
export async function rank(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      query: { type: 'string' },
      'query-file': { type: 'string' },
      documents: { type: 'string' },
      model: { type: 'string' },
      top: { type: 'string' },
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
  const query =
    values.query ??
    (values['query-file'] === undefined ? undefined : (await readInput(values['query-file'])).replace(/\r?\n$/, ''));
  if (query === undefined)
    throw new ZrankError('INVALID_ARGUMENT', 'zrank rank needs --query TEXT or --query-file FILE');
  if (values.documents === undefined) throw new ZrankError('INVALID_ARGUMENT', 'zrank rank needs --documents FILE');
  const topN = count('--top', values.top);
  const documents = await readDocuments(values.documents);

  await using reranker = await Reranker.load(modelFolder(values.model), loadOptions(values));
  const bar = new ProgressBar('ranking');
  const options = {
    returnDocuments: true,
    onProgress: bar.update,
    ...defined({ topN, instruction: values.instruction }),
  };
  const hits = await reranker.rank(query, documents, options).finally(() => bar.done());
  process.stdout.write(values.json ? `${JSON.stringify(hits, null, 2)}\n` : table(hits));
  return 0;
}

function table(hits: readonly Hit<DocumentLine>[]): string {
  const ids = hits.map((hit) => hit.document!.id ?? String(hit.index));
  const idWidth = ids.reduce((width, id) => Math.max(width, id.length), 2);
  const columns = process.stdout.isTTY ? process.stdout.columns : 100;
  const room = Math.max(20, columns - idWidth - 28);
  const rows = hits.map((hit, i) => {
    const text = hit.document!.text.replace(/\s+/g, ' ').trim();
    const snippet = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    return `${String(i + 1).padStart(4)}  ${hit.score.toFixed(4)}  ${hit.logit.toFixed(3).padStart(9)}  ${ids[i]!.padEnd(idWidth)}  ${snippet}${hit.truncated ? ' [cut]' : ''}\n`;
  });
  return `rank   score      logit  ${'id'.padEnd(idWidth)}  document\n${rows.join('')}`;
}
