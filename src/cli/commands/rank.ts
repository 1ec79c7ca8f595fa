import { ZrankError } from '../../error.js';
import type { DocumentRecord } from '../../files/documents.js';
import { joinLines, readLines } from '../../files/lines.js';
import type { Hit } from '../../reranker.js';
import { searchableText } from '../../retrieval/retriever.js';
import { defineCommand, positiveInteger } from '../command.js';
import { readDocuments } from '../documents.js';
import { loadReranker, instructionOption, modelOption, rerankerOptions } from '../model-options.js';
import { locateReranker } from '../models.js';
import { headline, oneLine, print } from '../output.js';
import { ProgressBar } from '../progress.js';

export const command = defineCommand({
  options: {
    query: { value: 'text', description: 'the query', conflictsWith: 'queryFile' },
    queryFile: { value: 'file', description: 'a file that holds the query' },
    documents: {
      value: 'file',
      description: 'lines of text, or .jsonl or .json of objects with "text", perhaps "id", "title"; - for stdin',
      required: true,
    },
    top: { value: 'n', description: 'print the best n only', parse: positiveInteger },
    json: { description: 'print one JSON array of hits' },
    model: modelOption,
    instruction: instructionOption,
    ...rerankerOptions,
  },
  async run({ query, queryFile, documents: path, top, json, model, instruction, pull, ...options }) {
    const text = query ?? (await readQuery(queryFile));
    const documents = await readDocuments(path);

    const { folder } = await locateReranker(model, { pull });
    await using reranker = await loadReranker(folder, options);
    const bar = new ProgressBar('ranking');
    const hits = await reranker
      .rank(text, documents.map(searchableText), { onProgress: bar.update, topN: top, instruction })
      .finally(() => bar.done());
    const found = hits.map((hit) => ({ ...hit, document: documents[hit.index]! }));
    print(json ? found : table(found));
  },
});

async function readQuery(path: string | undefined): Promise<string> {
  if (path === undefined) throw new ZrankError('INVALID_ARGUMENT', 'expected --query or --query-file');
  return joinLines(readLines(path));
}

function table(hits: readonly (Hit & { document: DocumentRecord })[]): string {
  const ids = hits.map(({ document, index }) => oneLine(document.id ?? String(index)));
  const idWidth = ids.reduce((width, id) => Math.max(width, id.length), 2);
  const columns = process.stdout.isTTY ? process.stdout.columns : 100;
  const textWidth = Math.max(20, columns - idWidth - 28);
  const rows = hits.map(({ score, logit, document, truncated }, i) => {
    const cells = [
      String(i + 1).padStart(4),
      score.toFixed(4),
      logit.toFixed(3).padStart(9),
      ids[i]!.padEnd(idWidth),
      headline(document, textWidth),
    ];
    return `${cells.join('  ')}${truncated ? ' [cut]' : ''}\n`;
  });
  return `rank   score      logit  ${'id'.padEnd(idWidth)}  document\n${rows.join('')}`;
}
