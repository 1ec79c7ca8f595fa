import { readFile, writeFile } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import { fileError, type Line, lineError } from './lines.js';

/** A number for each document of each query: grades in qrels, scores in a run. */
export type ScoreTable = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** A table while its file is being read. */
export type GrowingTable = Map<string, Map<string, number>>;

/**
 * Adds one line's entry.
 *
 * @throws ZrankError DUPLICATE_ID where the query already has the document: trec_eval refuses such a file too
 */
export function addEntry(table: GrowingTable, line: Line, query: string, document: string, value: number): void {
  let documents = table.get(query);
  if (!documents) table.set(query, (documents = new Map()));
  if (documents.has(document)) {
    throw lineError(line, 'DUPLICATE_ID', `document ${document} is listed twice for query ${query}`);
  }
  documents.set(document, value);
}

/** Fields of a TREC line: parted by ASCII white space, as C's isspace sees it, so ids may hold any other character. */
export function splitFields(text: string): string[] {
  return text.split(/[ \t\v\f\r]+/).filter((field) => field !== '');
}

/** @throws ZrankError DATA_INVALID where the file held nothing */
export function refuseEmpty<Table extends ScoreTable>(table: Table, path: string, content: string): Table {
  if (table.size === 0) throw new ZrankError('DATA_INVALID', `${path} holds no ${content}`);
  return table;
}

/**
 * Reads `{ query: { document: number } }`, the JSON form of pytrec_eval and ranx. Of a repeated key JSON keeps the
 * last.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID; DATA_INVALID where a value is not fit
 */
export async function readJsonTable(
  path: string,
  expected: string,
  isFit: (value: number) => boolean,
): Promise<ScoreTable> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw fileError(path, 'read', cause);
  });
  const table: GrowingTable = new Map();
  for (const [query, documents] of objectEntries(parseJson(path, text), path, 'an object of queries')) {
    const scores = new Map<string, number>();
    for (const [document, value] of objectEntries(documents, `${path}: query ${query}`, 'an object of documents')) {
      if (typeof value !== 'number' || !isFit(value)) {
        throw unfitValue(`${path}: query ${query}, document ${document}`, expected, value);
      }
      scores.set(document, value);
    }
    table.set(query, scores);
  }
  return table;
}

/**
 * Writes a file of lines, one piece of text at a time.
 *
 * @throws ZrankError FILE_NOT_FOUND where the folder is missing, FILE_UNREADABLE where the file cannot be written
 */
export async function writePieces(path: string, pieces: Iterable<string>): Promise<void> {
  try {
    await writeFile(path, pieces);
  } catch (cause) {
    throw fileError(path, 'write', cause);
  }
}

/**
 * Checks a table before a file is touched for it.
 *
 * @throws ZrankError DATA_INVALID for an id that would not come back from a TREC file, or a value that is not fit
 */
export function checkWritable(table: ScoreTable, expected: string, isFit: (value: number) => boolean): void {
  for (const [query, documents] of table) {
    checkTrecWord('query id', query);
    for (const [document, value] of documents) {
      checkTrecWord('document id', document);
      if (!isFit(value)) throw unfitValue(`query ${query}, document ${document}`, expected, value);
    }
  }
}

/** @throws ZrankError DATA_INVALID for a text that would not come back from a TREC file */
export function checkTrecWord(what: 'query id' | 'document id' | 'tag', text: string): void {
  const isWord = typeof text === 'string' && /^[^ \t\v\f\r\n]+$/.test(text);
  if (isWord && !(what === 'query id' && text.startsWith('#'))) return;
  throw new ZrankError('DATA_INVALID', `a TREC file cannot carry the ${what} ${JSON.stringify(text)}`, {
    expected: 'text without white space, in a query id not beginning with #',
    received: JSON.stringify(text),
  });
}

function unfitValue(where: string, expected: string, value: unknown): ZrankError {
  const received = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'nothing');
  return new ZrankError('DATA_INVALID', `${where}: expected ${expected} but received ${received}`, {
    expected,
    received,
  });
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ZrankError('JSON_INVALID', `${path}: ${(cause as Error).message}`, { cause });
  }
}

function objectEntries(value: unknown, where: string, expected: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ZrankError('DATA_INVALID', `${where}: expected ${expected}`, { expected });
  }
  return Object.entries(value);
}
