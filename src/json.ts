import { readFile } from 'node:fs/promises';
import { ZrankError } from './error.js';

export type JsonObject = Record<string, unknown>;

/** The file's text, or undefined where there is no such file. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
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
