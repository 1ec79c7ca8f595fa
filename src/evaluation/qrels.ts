import { type Line, lineMismatch, readLines } from './lines.js';
import {
  addEntry,
  checkWritable,
  type GrowingTable,
  readJsonTable,
  refuseEmpty,
  type ScoreTable,
  splitFields,
  writePieces,
} from './score-table.js';

/** Relevance judgements: query id, document id, grade. Grades are whole numbers; from 1 on a document is relevant. */
export type Qrels = ScoreTable;

/**
 * Reads qrels. The first line tells the format:
 * - TREC: `query iteration document grade`, parted by white space; lines beginning with # are comments.
 * - BEIR: `query<TAB>document<TAB>grade`, with or without the line `query-id corpus-id score` at the top.
 * - a name that ends in .json: `{ query: { document: grade } }`.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID, with file and line
 */
export async function readQrels(path: string): Promise<Qrels> {
  if (path.endsWith('.json')) {
    return refuseEmpty(await readJsonTable(path, 'a whole number', Number.isInteger), path, 'judgements');
  }
  const qrels: GrowingTable = new Map();
  let add: ((line: Line) => void) | undefined;
  for await (const line of readLines(path)) {
    if (line.text.trim() === '') continue;
    if (add) add(line);
    else if (line.text.startsWith('#')) continue;
    else if (isBeirHeader(line.text)) add = (next) => addBeirLine(qrels, next);
    else {
      add = hasBeirColumns(line.text) ? (next) => addBeirLine(qrels, next) : (next) => addTrecLine(qrels, next);
      add(line);
    }
  }
  return refuseEmpty(qrels, path, 'judgements');
}

/**
 * Writes TREC qrels, in the order of the maps.
 *
 * @throws ZrankError DATA_INVALID for an id with white space or a grade that is not a whole number; FILE_NOT_FOUND,
 * FILE_UNREADABLE
 */
export async function writeQrels(path: string, qrels: Qrels): Promise<void> {
  checkWritable(qrels, 'a whole number', Number.isInteger);
  await writePieces(path, trecLines(qrels));
}

function* trecLines(qrels: Qrels): Generator<string> {
  for (const [query, grades] of qrels) {
    let text = '';
    for (const [document, grade] of grades) text += `${query} 0 ${document} ${grade}\n`;
    yield text;
  }
}

function addTrecLine(qrels: GrowingTable, line: Line): void {
  if (line.text.startsWith('#')) return;
  const [query, iteration, document, grade, ...more] = splitFields(line.text);
  if (
    query === undefined ||
    iteration === undefined ||
    document === undefined ||
    grade === undefined ||
    more.length > 0
  ) {
    throw lineMismatch(line, 'the four columns "query iteration document grade"', line.text);
  }
  addEntry(qrels, line, query, document, parseGrade(line, grade));
}

function addBeirLine(qrels: GrowingTable, line: Line): void {
  const [query, document, grade, ...more] = beirColumns(line.text);
  if (!query || !document || !grade || more.length > 0) {
    throw lineMismatch(line, 'the three columns "query-id<TAB>corpus-id<TAB>score"', line.text);
  }
  addEntry(qrels, line, query, document, parseGrade(line, grade));
}

function parseGrade(line: Line, text: string): number {
  if (!/^[+-]?\d+(\.0*)?$/.test(text)) throw lineMismatch(line, 'a whole number for the grade', text);
  return Number(text);
}

function isBeirHeader(text: string): boolean {
  return beirColumns(text).join(' ') === 'query-id corpus-id score';
}

/** Two tabs that part no more than three words; a TREC line has four. */
function hasBeirColumns(text: string): boolean {
  return beirColumns(text).length === 3 && splitFields(text).length === 3;
}

function beirColumns(text: string): string[] {
  return text.split('\t').map((column) => column.trim());
}
