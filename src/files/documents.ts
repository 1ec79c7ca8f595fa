import { excerpt, ZrankError } from '../error.js';
import { isObject, parseJson } from '../json.js';
import { extensionOf, nameOf } from './bytes.js';
import { joinLines, type Line, mismatch, peekLine, placeOf, readLines } from './lines.js';

/** A document as a file has it. */
export interface DocumentRecord {
  text: string;
  id?: string;
  title?: string;
}

/** A document and where it stands, as messages call that. */
export interface PlacedDocument {
  document: DocumentRecord;
  place: string;
}

/**
 * What a file of documents holds: JSON, or lines of text. The name says (`.jsonl` and `.ndjson` hold JSON lines, `.json`
 * an array or lines); where it ends in nothing, as standard input's, the content.
 */
export type OpenDocuments =
  | { format: 'json'; documents: AsyncGenerator<PlacedDocument, void, undefined> }
  | { format: 'text'; lines: AsyncGenerator<Line, void, undefined> };

/**
 * Opens a file of documents, or standard input for `-`; readLines() says what it may be packed and encoded in.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, DATA_INVALID; the documents throw JSON_INVALID too
 */
export async function openDocuments(path: string): Promise<OpenDocuments> {
  const { first, all } = await peekLine(readLines(path));
  switch (formatOf(extensionOf(path), first?.text.trim() ?? '')) {
    case 'json lines':
      return { format: 'json', documents: parseLines(all) };
    case 'json':
      return { format: 'json', documents: parseWhole(all, nameOf(path)) };
    default:
      return { format: 'text', lines: all };
  }
}

/**
 * A document of its JSON: a string, or an object with the string `text` and perhaps an id, a string or a whole number,
 * and the string `title`. Null and empty ids and titles are none.
 *
 * @param idNames where the id stands, the first that is there
 * @throws ZrankError DATA_INVALID
 */
export function toDocument(value: unknown, place: string, idNames: readonly string[] = ['id', '_id']): DocumentRecord {
  if (typeof value === 'string') return { text: value };
  if (!isObject(value)) throw mismatch(place, 'a string or an object with the string "text"', shown(value));
  const { text, title } = value;
  if (text === undefined) {
    const fields = Object.keys(value).map((name) => JSON.stringify(name));
    throw mismatch(place, 'an object with the string "text"', `one with ${fields.join(', ') || 'nothing'}`);
  }
  if (typeof text !== 'string') throw mismatch(place, 'a string for text', shown(text));
  if (title && typeof title !== 'string') throw mismatch(place, 'a string for title', shown(title));
  const idName = idNames.find((name) => (value[name] ?? '') !== '');
  return {
    text,
    ...(idName !== undefined && { id: toId(value[idName], place, idName) }),
    ...(typeof title === 'string' && title !== '' && { title }),
  };
}

/** A number that JSON.parse() had to round is refused: it would be another id. */
function toId(value: unknown, place: string, name: string): string {
  if (typeof value === 'string' || Number.isSafeInteger(value)) return String(value);
  throw mismatch(place, `a string, or a whole number below 2^53, for ${name}`, shown(value));
}

function formatOf(extension: string, start: string): 'json' | 'json lines' | 'text' {
  if (extension === 'jsonl' || extension === 'ndjson') return 'json lines';
  if (extension !== 'json' && extension !== '') return 'text';
  if (isJson(start)) return /^["{]/.test(start) ? 'json lines' : 'json';
  return extension === 'json' || /^(\[\s*(["{]|$)|\{\s*("|$))/.test(start) ? 'json' : 'text';
}

function isJson(text: string): boolean {
  if (!/^["{]|^\[\s*["{\]]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function* parseLines(lines: AsyncIterable<Line>): AsyncGenerator<PlacedDocument, void, undefined> {
  for await (const line of lines) {
    if (line.text.trim() === '') continue;
    const place = placeOf(line);
    yield { document: toDocument(parseJson(line.text, line.path, line.number), place), place };
  }
}

async function* parseWhole(lines: AsyncIterable<Line>, name: string): AsyncGenerator<PlacedDocument, void, undefined> {
  const text = await joinLines(lines);
  if (text.trim() === '') return;
  const value = parseJson(text, name);
  if (!Array.isArray(value)) throw new ZrankError('DATA_INVALID', `${name} holds no array of documents`);
  for (const [i, element] of value.entries()) {
    const place = `${name}: document ${i + 1}`;
    yield { document: toDocument(element, place), place };
  }
}

function shown(value: unknown): string {
  return excerpt(JSON.stringify(value));
}
