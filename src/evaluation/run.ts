import { type Line, lineMismatch } from '../files/lines.js';
import { rankDocuments } from './rank.js';
import {
  addEntry,
  checkTrecWord,
  checkWritable,
  type GrowingTable,
  readTable,
  type ScoreTable,
  splitColumns,
  writePieces,
} from './score-table.js';

/** What a system retrieved: query id, document id, score; higher is better. The scores give the order, not the maps. */
export type Run = ScoreTable;

export interface WriteRunOptions {
  /** The run's name, in the last column. @default 'zrank' */
  tag?: string;
}

/**
 * Reads a TREC run: `query Q0 document rank score tag`, parted by white space, or by tabs alone where ids hold spaces.
 * As in trec_eval the rank column is ignored, columns after the tag too, and lines beginning with # are comments. JSON
 * is read as `{ query: { document: score } }`.
 *
 * @param path a file, which may be compressed by gzip or Zstandard; `-` is standard input
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID, with file and line
 */
export function readRun(path: string): Promise<Run> {
  return readTable(path, {
    content: 'results',
    expected: 'a number',
    isFit: Number.isFinite,
    lineReader: (run) => (line) => addLine(run, line),
  });
}

/**
 * Writes a TREC run, best document first. Scores are written with the fewest digits that read back as the same double.
 *
 * @throws ZrankError DATA_INVALID for an id with white space or a score that is NaN; FILE_NOT_FOUND, FILE_UNWRITABLE
 */
export async function writeRun(path: string, run: Run, options: WriteRunOptions = {}): Promise<void> {
  const { tag = 'zrank' } = options;
  checkTrecWord('tag', tag);
  checkWritable(run, 'a number', (score) => typeof score === 'number' && !Number.isNaN(score));
  await writePieces(path, trecLines(run, tag));
}

function* trecLines(run: Run, tag: string): Generator<string> {
  for (const [query, scores] of run) {
    let text = '';
    rankDocuments(query, scores, 'trec').forEach(({ document, score }, index) => {
      text += `${query} Q0 ${document} ${index + 1} ${score} ${tag}\n`;
    });
    yield text;
  }
}

function addLine(run: GrowingTable, line: Line): void {
  const [query, iteration, document, rank, score, tag, ...more] = splitColumns(line.text, 6);
  if (query === undefined || query.startsWith('#')) return;
  if (
    iteration === undefined ||
    document === undefined ||
    rank === undefined ||
    score === undefined ||
    tag === undefined
  ) {
    throw lineMismatch(line, 'the six columns "query Q0 document rank score tag"', line.text);
  }
  // An id with a space pushes the columns behind it to the right.
  if (more.length > 0 && !Number.isFinite(Number(rank)))
    throw lineMismatch(line, 'a number for the rank, and tabs between the columns where ids hold spaces,', rank);
  addEntry(run, line, query, document, parseScore(line, score));
}

function parseScore(line: Line, text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  throw lineMismatch(line, 'a number for the score', text);
}
