import { writeFile } from 'node:fs/promises';
import { ZrankError } from '../error.js';

/** Results go to stdout: a text as it is, anything else as JSON. */
export function print(result: string | object): void {
  process.stdout.write(typeof result === 'string' ? result : `${JSON.stringify(result, null, 2)}\n`);
}

/** All else goes to stderr. */
export function log(message: string): void {
  process.stderr.write(`zrank: ${message}\n`);
}

/** Writes what --report names. */
export async function writeReport(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (cause) {
    throw new ZrankError('FILE_UNWRITABLE', `the report cannot be written to ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** A text on one line, cut where it is longer than `width`. */
export function oneLine(text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
