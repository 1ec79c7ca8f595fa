import { createReadStream } from 'node:fs';
import { type ErrorCode, ZrankError, type ZrankErrorOptions } from '../error.js';

/** One line of a data file, without its end. */
export interface Line {
  path: string;
  /** Counted from 1. */
  number: number;
  text: string;
}

/**
 * The lines of a UTF-8 file, streamed. They end at \n alone: node:readline would also end them at U+2028, which JSON
 * allows inside a string.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE; DATA_INVALID where the file is not UTF-8
 */
export async function* readLines(path: string): AsyncGenerator<Line, void, undefined> {
  let number = 0;
  let rest = '';
  for await (const text of readText(path, () => number + 1)) {
    const pieces = text.split('\n');
    pieces[0] = rest + pieces[0]!;
    rest = pieces.pop()!;
    for (const piece of pieces) yield { path, number: ++number, text: piece };
  }
  if (rest !== '') yield { path, number: ++number, text: rest };
}

/** The error for a line, with the file and the line number before what is wrong. */
export function lineError(line: Line, code: ErrorCode, problem: string, options?: ZrankErrorOptions): ZrankError {
  return new ZrankError(code, `${line.path}:${line.number}: ${problem}`, options);
}

/** The error for a line whose content is not what was expected. */
export function lineMismatch(line: Line, expected: string, received: string): ZrankError {
  return lineError(line, 'DATA_INVALID', `expected ${expected} but received ${excerpt(received)}`, {
    expected,
    received: excerpt(received),
  });
}

/** The error for a file that the system would not open, read or write. */
export function fileError(path: string, action: 'read' | 'write', cause: unknown): ZrankError {
  const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  return missing
    ? new ZrankError('FILE_NOT_FOUND', `there is no ${action === 'read' ? 'file' : 'folder for'} ${path}`, { cause })
    : new ZrankError('FILE_UNREADABLE', `cannot ${action} ${path}: ${(cause as Error).message}`, { cause });
}

async function* readText(path: string, lineNumber: () => number): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new ZrankError('DATA_INVALID', `${path}: not UTF-8, at line ${lineNumber()} or after`, { cause });
    }
  };
  try {
    for await (const bytes of createReadStream(path)) yield decode(bytes);
    yield decode();
  } catch (cause) {
    throw cause instanceof ZrankError ? cause : fileError(path, 'read', cause);
  }
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
