import { isUtf8 } from 'node:buffer';
import { type ErrorCode, excerpt, ZrankError, type ZrankErrorOptions } from '../error.js';
import { nameOf, readBytes } from './bytes.js';

/** One line of a data file, without its end. */
export interface Line {
  /** As messages call the file. */
  path: string;
  /** Counted from 1. */
  number: number;
  text: string;
}

export interface ReadLinesOptions {
  /** Told of a line that is no text, which is then left out. @default it ends the reading */
  onBadLine?: (error: ZrankError) => void;
}

/**
 * The lines of a text, streamed; readBytes() says what it may be packed and encoded in. They end at \n or \r\n, and at
 * \r where the text has no \n: node:readline would also end them at U+2028, which JSON allows inside a string.
 *
 * @param path a file, or `-` for standard input
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE; DATA_INVALID for a line that is not UTF-8 or holds a zero byte
 */
export async function* readLines(
  path: string,
  { onBadLine }: ReadLinesOptions = {},
): AsyncGenerator<Line, void, undefined> {
  const name = nameOf(path);
  let number = 0;
  for await (const bytes of splitLines(readBytes(path))) {
    const line: Line = { path: name, number: ++number, text: '' };
    try {
      line.text = decodeLine(bytes, line);
    } catch (error) {
      if (!onBadLine) throw error;
      onBadLine(error as ZrankError);
      continue;
    }
    yield line;
  }
}

/** The first line that is not blank, and all lines as they come. */
export async function peekLine(lines: AsyncGenerator<Line, void, undefined>): Promise<{
  first: Line | undefined;
  all: AsyncGenerator<Line, void, undefined>;
}> {
  const seen: Line[] = [];
  let next = await lines.next();
  while (!next.done && next.value.text.trim() === '') {
    seen.push(next.value);
    next = await lines.next();
  }
  if (!next.done) seen.push(next.value);
  const all = async function* () {
    yield* seen;
    yield* lines;
  };
  return { first: next.value ?? undefined, all: all() };
}

/** Lines as one text, with \n between them. */
export async function joinLines(lines: AsyncIterable<Line>): Promise<string> {
  const texts: string[] = [];
  for await (const { text } of lines) texts.push(text);
  return texts.join('\n');
}

/** The error for a line, with the file and the line number before what is wrong. */
export function lineError(line: Line, code: ErrorCode, problem: string, options?: ZrankErrorOptions): ZrankError {
  return new ZrankError(code, `${placeOf(line)}: ${problem}`, options);
}

/** The error for a line whose content is not what was expected. */
export function lineMismatch(line: Line, expected: string, content: string): ZrankError {
  return mismatch(placeOf(line), expected, excerpt(content));
}

/** The error for what is not as it was expected at a place of a file. */
export function mismatch(place: string, expected: string, received: string): ZrankError {
  return new ZrankError('DATA_INVALID', `${place}: expected ${expected} but received ${received}`, {
    expected,
    received,
  });
}

/** A line as messages call it. */
export function placeOf({ path, number }: Line): string {
  return `${path}:${number}`;
}

async function* splitLines(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let end: number | undefined;
  let pieces: Buffer[] = [];
  for await (const bytes of source) {
    end ??= lineEnd(bytes);
    let start = 0;
    for (let stop = bytes.indexOf(end); stop >= 0; stop = bytes.indexOf(end, start)) {
      pieces.push(bytes.subarray(start, stop));
      yield pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      pieces = [];
      start = stop + 1;
    }
    if (start < bytes.length) pieces.push(bytes.subarray(start));
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}

/** \r where it alone ends the first lines; a \r at the end may belong to a \n that is still to come. */
function lineEnd(start: Buffer): number {
  const [lf, cr] = [0x0a, 0x0d];
  const first = start.indexOf(cr);
  return first >= 0 && first < start.length - 1 && !start.includes(lf) ? cr : lf;
}

function decodeLine(bytes: Buffer, line: Line): string {
  if (bytes.includes(0))
    throw lineError(line, 'DATA_INVALID', 'a zero byte: no text, or UTF-16 without a byte order mark');
  if (!isUtf8(bytes)) {
    throw lineError(
      line,
      'DATA_INVALID',
      `byte ${firstBadByte(bytes)} of the line is not UTF-8; ` +
        '"iconv -f WINDOWS-1252 -t UTF-8" converts a file of Windows or Latin-1',
      { expected: 'UTF-8' },
    );
  }
  try {
    // A mark at the start of any line is what joining files leaves there.
    return bytes
      .toString()
      .replace(/^\ufeff/, '')
      .replace(/\r$/, '');
  } catch (cause) {
    throw lineError(line, 'DATA_INVALID', 'the line is longer than a string can be', { cause });
  }
}

/** Where the first character begins that is none, counted from 1. */
function firstBadByte(bytes: Buffer): number {
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodeStart(bytes.subarray(0, middle)) !== undefined) good = middle;
    else bad = middle;
  }
  return Buffer.byteLength(decodeStart(bytes.subarray(0, good))!) + 1;
}

/** The whole characters of bytes after which more may come; undefined where these are not UTF-8. */
function decodeStart(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
