import { readFile } from 'node:fs/promises';
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

/** The file's text, or undefined where there is no such file. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
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
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ZrankError('JSON_INVALID', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(value)) throw new ZrankError('JSON_INVALID', `${path} does not hold a JSON object`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
