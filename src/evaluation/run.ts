import { type Line, lineMismatch, readLines } from './lines.js';
import { rankDocuments } from './rank.js';
import {
  addEntry,
  checkTrecWord,
  checkWritable,
  type GrowingTable,
  readJsonTable,
  refuseEmpty,
  type ScoreTable,
  splitFields,
  writePieces,
} from './score-table.js';

/** What a system retrieved: query id, document id, score; higher is better. The scores give the order, not the maps. */
export type Run = ScoreTable;

export interface WriteRunOptions {
  /** The run's name, in the last column. @default 'zrank' */
  tag?: string;
}

/**
 * Reads a TREC run: `query Q0 document rank score tag`, parted by white space. As in trec_eval the rank column is
 * ignored, columns after the tag too, and lines beginning with # are comments. A name that ends in .json is read as
 * `{ query: { document: score } }`.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID, with file and line
 */
export async function readRun(path: string): Promise<Run> {
  if (path.endsWith('.json')) {
    return refuseEmpty(await readJsonTable(path, 'a number', Number.isFinite), path, 'results');
  }
  const run: GrowingTable = new Map();
  for await (const line of readLines(path)) addLine(run, line);
  return refuseEmpty(run, path, 'results');
}

/**
 * Writes a TREC run, best document first. Scores are written with the fewest digits that read back as the same double.
 *
 * @throws ZrankError DATA_INVALID for an id with white space or a score that is NaN; FILE_NOT_FOUND, FILE_UNREADABLE
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
  const [query, iteration, document, rank, score, tag] = splitFields(line.text);
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
  addEntry(run, line, query, document, parseScore(line, score));
}

function parseScore(line: Line, text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  throw lineMismatch(line, 'a number for the score', text);
}
