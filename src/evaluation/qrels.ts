import { extensionOf } from '../files/bytes.js';
import { type Line, lineMismatch } from '../files/lines.js';
import {
  addEntry,
  checkWritable,
  type GrowingTable,
  readTable,
  type ScoreTable,
  splitColumns,
  splitFields,
  writePieces,
} from './score-table.js';

/** Relevance judgements: query id, document id, grade. Grades are whole numbers; from 1 on a document is relevant. */
export type Qrels = ScoreTable;

/**
 * Reads qrels. The first line tells the format:
 * - TREC: `query iteration document grade`, parted by white space, or by tabs alone where ids hold spaces; lines
 *   beginning with # are comments.
 * - BEIR: `query<TAB>document<TAB>grade`, with or without the line `query-id corpus-id score` at the top.
 * - JSON: `{ query: { document: grade } }`.
 *
 * @param path a file, which may be compressed by gzip or Zstandard; `-` is standard input
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID, with file and line
 */
export function readQrels(path: string): Promise<Qrels> {
  return readTable(path, {
    content: 'judgements',
    expected: 'a whole number',
    isFit: Number.isInteger,
    lineReader: (qrels) => lineReader(qrels, extensionOf(path)),
  });
}

function lineReader(qrels: GrowingTable, extension: string): (line: Line) => void {
  let add: ((qrels: GrowingTable, line: Line) => void) | undefined;
  return (line) => {
    if (add) return add(qrels, line);
    if (line.text.startsWith('#')) return;
    const isHeader = isBeirHeader(line.text);
    add = isHeader || hasBeirColumns(line.text, extension) ? addBeirLine : addTrecLine;
    if (!isHeader) add(qrels, line);
  };
}

/**
 * Writes TREC qrels, in the order of the maps.
 *
 * @throws ZrankError DATA_INVALID for an id with white space or a grade that is not a whole number; FILE_NOT_FOUND,
 * FILE_UNWRITABLE
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
  const [query, iteration, document, grade, ...more] = splitColumns(line.text, 4);
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
  return beirColumns(text).join(' ').toLowerCase() === 'query-id corpus-id score';
}

/**
 * Two tabs. Unless the file is a .tsv, tabs and spaces may be mixed in it: then an iteration and one word between the
 * tabs make a line of TREC.
 */
function hasBeirColumns(text: string, extension: string): boolean {
  const columns = beirColumns(text);
  const isTrec = splitFields(text).length === 4 && /^(\d+|Q0)[ \v\f]/.test(columns[1] ?? '');
  return columns.length === 3 && (extension === 'tsv' || !isTrec);
}

function beirColumns(text: string): string[] {
  return text.split('\t').map((column) => column.trim());
}
