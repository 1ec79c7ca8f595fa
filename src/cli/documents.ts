import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { fileError, type Line, lineError, lineMismatch } from '../evaluation/lines.js';
import { isObject } from '../json.js';

export interface DocumentLine {
  text: string;
  id?: string;
  title?: string;
}

/** The text of a file, or of standard input for `-`, without a byte order mark. */
export async function readInput(path: string): Promise<string> {
  const text = path === '-' ? await readAll(process.stdin) : await readText(path);
  return text.replace(/^\uFEFF/, '');
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw fileError(path, 'read', cause);
  });
}

/**
 * Documents of a file: a .jsonl file has a string or an object with `text` and perhaps `id` or `_id` and `title` on
 * each line, any other a document a line. Standard input is JSON lines if its first line is.
 */
export async function readDocuments(path: string): Promise<DocumentLine[]> {
  const lines = (await readInput(path)).split(/\r?\n/).map((text, i): Line => ({ path, number: i + 1, text }));
  const filled = lines.filter(({ text }) => text.trim() !== '');
  const isJson = path.endsWith('.jsonl') || (path === '-' && /^\s*["{]/.test(filled[0]?.text ?? ''));
  return filled.map((line) => (isJson ? parseLine(line) : { text: line.text }));
}

function parseLine(line: Line): DocumentLine {
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (cause) {
    throw lineError(line, 'JSON_INVALID', (cause as Error).message, { cause });
  }
  if (typeof value === 'string') return { text: value };
  if (isObject(value) && typeof value['text'] === 'string') {
    const id = value['id'] ?? value['_id'];
    const title = value['title'];
    return {
      text: value['text'],
      ...(id !== undefined && { id: String(id) }),
      ...(typeof title === 'string' && { title }),
    };
  }
  throw lineMismatch(line, 'a string or an object with the string "text"', line.text);
}
