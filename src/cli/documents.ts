import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { isObject } from '../json.js';
import { ZrankError } from '../error.js';

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

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'FILE_NOT_FOUND' : 'FILE_UNREADABLE';
    throw new ZrankError(code, `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Documents of a file: a .jsonl file has a string or an object with `text` and perhaps `id` or `_id` and `title` on
 * each line, any other a document a line. Standard input is JSON lines if its first line is.
 */
export async function readDocuments(path: string): Promise<DocumentLine[]> {
  const lines = (await readInput(path)).split(/\r?\n/).map((line, i) => ({ line, number: i + 1 }));
  const filled = lines.filter(({ line }) => line.trim() !== '');
  const isJson = path.endsWith('.jsonl') || (path === '-' && /^\s*["{]/.test(filled[0]?.line ?? ''));
  return filled.map(({ line, number }) => (isJson ? parseLine(line, `${path}:${number}`) : { text: line }));
}

function parseLine(line: string, where: string): DocumentLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ZrankError('JSON_INVALID', `${where} is not JSON: ${(cause as Error).message}`, { cause });
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
  throw new ZrankError('DATA_INVALID', `${where}: expected a string or an object with the string "text"`);
}
