import { readFile } from 'node:fs/promises';
import { parse } from '@humanwhocodes/momoa';
import { decodeText } from './encoding.js';
import { ZrankError } from './error.js';

/** What a clone without Git LFS holds in place of a large file (https://git-lfs.com, "Pointer files"). */
const lfsPointer = 'version https://git-lfs.github.com/spec/';

/** Throws FILE_UNREADABLE where a file that begins so is a pointer of Git LFS. */
export function refuseLfsPointer(path: string, start: string): void {
  if (!start.startsWith(lfsPointer)) return;
  throw new ZrankError(
    'FILE_UNREADABLE',
    `${path} is a Git LFS pointer, not the file itself: "git lfs install && git lfs pull" in its folder fetches it`,
  );
}

export type JsonObject = Record<string, unknown>;

/** The file's text without a byte order mark, or undefined where there is no such file. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    const text = decodeText(await readFile(path), path);
    refuseLfsPointer(path, text);
    return text;
  } catch (cause) {
    if (cause instanceof ZrankError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ZrankError('FILE_UNREADABLE', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** The JSON object in a file, or undefined where there is no such file. Throws JSON_INVALID for anything else. */
export async function readJsonIfPresent(path: string): Promise<JsonObject | undefined> {
  const text = await readTextIfPresent(path);
  return text === undefined ? undefined : parseJsonObject(text, path);
}

export function parseJsonObject(text: string, path: string): JsonObject {
  const value = parseJson(text, path);
  if (!isObject(value)) throw new ZrankError('JSON_INVALID', `${path} does not hold a JSON object`);
  return value;
}

/**
 * @param firstLine the number of the text's first line in the file
 * @throws ZrankError JSON_INVALID with file, line and column
 */
export function parseJson(text: string, path: string, firstLine = 1): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { line, column, problem } = firstProblem(text, (cause as Error).message);
    const place = `${path}:${firstLine + line - 1}`;
    throw new ZrankError('JSON_INVALID', `${place}: not JSON: column ${column}: ${problem}`, { cause });
  }
}

/** As V8 tells it, where it tells the position; it does not always. */
function firstProblem(text: string, message: string): { line: number; column: number; problem: string } {
  const [, problem, position] = /^(.*) in JSON at position (\d+)/s.exec(message) ?? [];
  if (problem !== undefined) {
    const lines = text.slice(0, Number(position)).split('\n');
    return { line: lines.length, column: lines.at(-1)!.length + 1, problem };
  }
  try {
    parse(text);
    return { line: 1, column: 1, problem: message };
  } catch (error) {
    const { line, column, message: told } = error as Error & { line: number; column: number };
    return { line, column, problem: told.replace(/ \(\d+:\d+\)$/, '') };
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
