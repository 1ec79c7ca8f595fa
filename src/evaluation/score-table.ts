import { writeFile } from 'node:fs/promises';
import { type AnyNode, type MemberNode, parse } from '@humanwhocodes/momoa';
import { ZrankError } from '../error.js';
import { extensionOf, nameOf } from '../files/bytes.js';
import { joinLines, type Line, lineError, lineMismatch, peekLine, readLines } from '../files/lines.js';
import { replaceFile } from '../files/replace-file.js';
import { parseJson } from '../json.js';

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

/** The columns of a line: parted by tabs where these part it into so many, so that ids may hold spaces. */
export function splitColumns(text: string, count: number): string[] {
  const columns = text.split('\t').map((column) => column.trim());
  return columns.length === count && columns.every((column) => column !== '') ? columns : splitFields(text);
}

/** How a table of one kind is read. */
export interface TableFormat {
  /** What the table holds, for the error where it holds nothing. */
  content: string;
  /** What a value of the JSON form is. */
  expected: string;
  isFit: (value: number) => boolean;
  /** Adds the entry of a line; made for a file by its first line that is not blank. */
  lineReader: (table: GrowingTable, first: Line) => (line: Line) => void;
}

/**
 * Reads a table: JSON where the name ends in `.json` or the text begins with a brace, else lines.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID, with file and line
 */
export async function readTable(path: string, format: TableFormat): Promise<ScoreTable> {
  const table: GrowingTable = new Map();
  const { first, all } = await peekLine(readLines(path));
  if (first && (extensionOf(path) === 'json' || /^\s*\{\s*("|\}|$)/.test(first.text))) {
    addJson(table, await joinLines(all), nameOf(path), format);
  } else if (first) {
    const add = format.lineReader(table, first);
    for await (const line of all) if (line.text.trim() !== '') add(line);
  }
  if (table.size === 0) throw new ZrankError('DATA_INVALID', `${nameOf(path)} holds no ${format.content}`);
  return table;
}

/**
 * Adds `{ query: { document: number } }`, the JSON form of pytrec_eval and ranx. JSON.parse() checks it, but would put
 * ids that look like numbers first and keep the last of an id that comes twice.
 */
function addJson(table: GrowingTable, text: string, path: string, { expected, isFit }: TableFormat): void {
  parseJson(text, path);
  const lineOf = ({ loc }: AnyNode): Line => ({
    path,
    number: loc.start.line,
    text: text.slice(loc.start.offset, loc.end.offset),
  });
  const refuse = (node: AnyNode, what: string): never => {
    const line = lineOf(node);
    throw lineMismatch(line, what, line.text);
  };
  const membersOf = (node: AnyNode, what: string): MemberNode[] =>
    node.type === 'Object' ? node.members : refuse(node, what);
  const idOf = ({ name }: MemberNode) => (name.type === 'String' ? name.value : name.name);
  for (const query of membersOf(parse(text).body, 'an object of queries')) {
    const id = idOf(query);
    if (table.has(id)) throw lineError(lineOf(query.name), 'DUPLICATE_ID', `query ${id} is listed twice`);
    table.set(id, new Map());
    for (const document of membersOf(query.value, 'an object of documents')) {
      const { value } = document;
      const number = value.type === 'Number' && isFit(value.value) ? value.value : refuse(value, expected);
      addEntry(table, lineOf(document.name), id, idOf(document), number);
    }
  }
}

/**
 * Writes a file of lines, one piece of text at a time. It takes its name when it is complete.
 *
 * @throws ZrankError FILE_NOT_FOUND where the folder is missing, FILE_UNWRITABLE
 */
export function writePieces(path: string, pieces: Iterable<string>): Promise<void> {
  return replaceFile(path, (unfinished) => writeFile(unfinished, pieces));
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
