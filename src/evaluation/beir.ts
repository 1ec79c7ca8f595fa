import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { toDocument } from '../files/documents.js';
import { type Line, lineError, lineMismatch, placeOf, readLines } from '../files/lines.js';
import { isObject, parseJson } from '../json.js';
import { findFile } from './datasets.js';
import { type Qrels, readQrels } from './qrels.js';

export interface BeirDocument {
  id: string;
  /** Empty where the file has none. */
  title: string;
  text: string;
}

export interface BeirOptions {
  /** The file of qrels/ to read, without `.tsv`. @default 'test' */
  split?: string;
  /**
   * What to do with qrels that name a query or a document which the folder does not have: `error`, or `keep` them, so
   * that they count as relevant documents that no run can retrieve, as they do for trec_eval. @default 'error'
   */
  unknownIds?: 'error' | 'keep';
}

export interface BeirDataset {
  folder: string;
  split: string;
  /** The text of each query that the split judges, in the order of queries.jsonl. */
  queries: ReadonlyMap<string, string>;
  qrels: Qrels;
  /**
   * The corpus, streamed from the file at each call. The checks that need all of it come at its end.
   *
   * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DUPLICATE_ID; DATA_INVALID for a line that is not
   * a document and for an empty corpus; UNKNOWN_ID where the qrels name documents that the corpus lacks
   */
  documents(): AsyncGenerator<BeirDocument, void, undefined>;
}

/**
 * Opens a folder in the layout of BEIR (Thakur et al., NeurIPS 2021): corpus.jsonl (`_id`, `title`, `text`),
 * queries.jsonl (`_id`, `text`) and qrels/SPLIT.tsv, each perhaps with .gz or .zst behind its name. An id may be a whole
 * number, and be called `id`. Queries and qrels are read at once, the corpus when asked for.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID; UNKNOWN_ID where the
 * qrels name queries that queries.jsonl lacks
 */
export async function openBeir(folder: string, options: BeirOptions = {}): Promise<BeirDataset> {
  const { split = 'test', unknownIds = 'error' } = options;
  if (unknownIds !== 'error' && unknownIds !== 'keep') {
    throw ZrankError.argument('unknownIds', "'error' or 'keep'", unknownIds);
  }
  const qrelsPath = await findSplit(folder, split);
  const qrels = await readQrels(qrelsPath);
  const queries = new Map<string, string>();
  for await (const { id, text } of readRecords(folder, 'queries.jsonl', 'queries')) {
    if (qrels.has(id)) queries.set(id, text);
  }
  if (unknownIds === 'error') refuseUnknown(qrelsPath, 'queries', qrels.keys(), queries, 'queries.jsonl');
  return {
    folder,
    split,
    queries,
    qrels,
    async *documents() {
      const seen = new Set<string>();
      for await (const document of readRecords(folder, 'corpus.jsonl', 'documents')) {
        seen.add(document.id);
        yield document;
      }
      if (unknownIds === 'error') refuseUnknown(qrelsPath, 'documents', judgedDocuments(qrels), seen, 'corpus.jsonl');
    },
  };
}

async function findSplit(folder: string, split: string): Promise<string> {
  const files = await readdir(join(folder, 'qrels')).catch((cause: unknown) => {
    throw new ZrankError('FILE_NOT_FOUND', `${folder} is no BEIR folder: it has no qrels folder`, { cause });
  });
  const found = await findFile(join(folder, 'qrels'), `${split}.tsv`);
  if (found !== undefined) return found;
  const splits = files.flatMap((file) => /^(.*)\.tsv(\.gz|\.zst)?$/.exec(file)?.[1] ?? []);
  const path = join(folder, 'qrels', `${split}.tsv`);
  throw new ZrankError(
    'FILE_NOT_FOUND',
    `there is no file ${path}; splits in the folder: ${splits.join(', ') || 'none'}`,
  );
}

async function* readRecords(
  folder: string,
  name: string,
  content: string,
): AsyncGenerator<BeirDocument, void, undefined> {
  const path = (await findFile(folder, name)) ?? join(folder, name);
  const seen = new Set<string>();
  for await (const line of readLines(path)) {
    if (line.text.trim() === '') continue;
    const record = parseRecord(line);
    if (seen.has(record.id)) throw lineError(line, 'DUPLICATE_ID', `_id ${record.id} stands on a line before`);
    seen.add(record.id);
    yield record;
  }
  if (seen.size === 0) throw new ZrankError('DATA_INVALID', `${path} holds no ${content}`);
}

function parseRecord(line: Line): BeirDocument {
  const value = parseJson(line.text, line.path, line.number);
  if (!isObject(value)) throw lineMismatch(line, 'a JSON object', line.text);
  const { id, title = '', text } = toDocument(value, placeOf(line), ['_id', 'id']);
  if (id === undefined) throw lineMismatch(line, 'an object with an "_id"', line.text);
  return { id, title, text };
}

function* judgedDocuments(qrels: Qrels): Generator<string> {
  for (const grades of qrels.values()) yield* grades.keys();
}

function refuseUnknown(
  path: string,
  kind: 'queries' | 'documents',
  ids: Iterable<string>,
  known: { has(id: string): boolean },
  file: string,
): void {
  const unknown = [...new Set([...ids].filter((id) => !known.has(id)))];
  if (unknown.length === 0) return;
  const some = unknown.slice(0, 5).join(', ') + (unknown.length > 5 ? ', …' : '');
  throw new ZrankError('UNKNOWN_ID', `${path} judges ${unknown.length} ${kind} that ${file} does not have: ${some}`);
}
