import { ZrankError } from '../../error.js';
import type { Hit } from '../../reranker.js';
import { defineCommand, positiveInteger } from '../command.js';
import { readDocuments, readInput, type DocumentLine } from '../documents.js';
import { loadReranker, modelFolder, instructionOption, modelOption, rerankerOptions } from '../model-options.js';
import { oneLine, print } from '../output.js';
import { ProgressBar } from '../progress.js';

export const command = defineCommand({
  options: {
    query: { value: 'text', description: 'the query', conflictsWith: 'queryFile' },
    queryFile: { value: 'file', description: 'a file that holds the query' },
    documents: {
      value: 'file',
      description: '.txt (a document a line), .jsonl (strings, or objects with "text" and perhaps "id"), - for stdin',
      required: true,
    },
    top: { value: 'n', description: 'print the best n only', parse: positiveInteger },
    json: { description: 'print one JSON array of hits' },
    model: modelOption,
    instruction: instructionOption,
    ...rerankerOptions,
  },
  async run({ query, queryFile, documents: path, top, json, model, instruction, ...options }) {
    const text = query ?? (await readQuery(queryFile));
    const documents = await readDocuments(path);

    await using reranker = await loadReranker(modelFolder(model), options);
    const bar = new ProgressBar('ranking');
    const hits = await reranker
      .rank(text, documents, { returnDocuments: true, onProgress: bar.update, topN: top, instruction })
      .finally(() => bar.done());
    print(json ? hits : table(hits));
  },
});

async function readQuery(path: string | undefined): Promise<string> {
  if (path === undefined) throw new ZrankError('INVALID_ARGUMENT', 'expected --query or --query-file');
  return (await readInput(path)).replace(/\r?\n$/, '');
}

function table(hits: readonly Hit<DocumentLine>[]): string {
  const ids = hits.map((hit) => hit.document!.id ?? String(hit.index));
  const idWidth = ids.reduce((width, id) => Math.max(width, id.length), 2);
  const columns = process.stdout.isTTY ? process.stdout.columns : 100;
  const textWidth = Math.max(20, columns - idWidth - 28);
  const rows = hits.map(({ score, logit, document, truncated }, i) => {
    const cells = [
      String(i + 1).padStart(4),
      score.toFixed(4),
      logit.toFixed(3).padStart(9),
      ids[i]!.padEnd(idWidth),
      oneLine(document!.text, textWidth),
    ];
    return `${cells.join('  ')}${truncated ? ' [cut]' : ''}\n`;
  });
  return `rank   score      logit  ${'id'.padEnd(idWidth)}  document\n${rows.join('')}`;
}
