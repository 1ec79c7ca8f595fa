import { readFile } from 'node:fs/promises';
import jsonc from 'jsonc-parser';
import { decodeText } from './encoding.js';
import { excerpt, ZrankError } from './error.js';

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
    const [line, column, problem] = firstProblem(text) ?? [1, 1, (cause as Error).message];
    throw new ZrankError('JSON_INVALID', `${path}:${firstLine + line - 1}: not JSON: column ${column}: ${problem}`, {
      cause,
    });
  }
}

/** V8 does not always tell where it is. */
function firstProblem(text: string): [line: number, column: number, problem: string] | undefined {
  let first: [number, number, string] | undefined;
  jsonc.visit(
    text,
    {
      onError: (code, offset, length, line, column) => {
        const expected = jsonc.printParseErrorCode(code).replace(/\B[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
        const found = length > 0 ? `, found ${excerpt(text.slice(offset, offset + length))}` : '';
        first ??= [line + 1, column + 1, `${expected}${found}`];
      },
    },
    { disallowComments: true },
  );
  return first;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
