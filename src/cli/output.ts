import { writeFile } from 'node:fs/promises';
import { fileError } from '../files/file-error.js';
import { replaceFile } from '../files/replace-file.js';

/** Results go to stdout: a text as it is, anything else as JSON. */
export function print(result: string | object): void {
  process.stdout.write(escapeControls(typeof result === 'string' ? result : `${JSON.stringify(result, null, 2)}\n`));
}

/** All else goes to stderr. */
export function log(message: string): void {
  remark(`zrank: ${message}\n`);
}

/** Lines for stderr that are no message of the program's. */
export function remark(lines: string): void {
  process.stderr.write(escapeControls(lines));
}

/** Ends the process where nothing more can be printed; what stderr cannot take nobody misses. */
export function watchOutput(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough, as in `zrank rank … | head`.
    if (error.code === 'EPIPE') process.exit(0);
    const { message, code } = fileError('standard output', 'write', error);
    log(`${message} [${code}]`);
    process.exit(1);
  });
}

/** Writes what --report names. */
export function writeReport(path: string, page: string): Promise<void> {
  return replaceFile(path, (unfinished) => writeFile(unfinished, page));
}

/**
 * A text without the characters by which it could steer a terminal or turn the direction of what stands around it. In
 * JSON the escapes mean the same characters.
 */
export function escapeControls(text: string): string {
  return text.replace(
    /[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** As many whole characters, as readers see them, as a text of this length has room for. */
export function beginning(text: string, length: number): string {
  if (text.length <= length) return text;
  return text.slice(0, graphemes.segment(text.slice(0, length + 1)).containing(length)!.index);
}

/** A text on one line, cut where it is longer than `width`. */
export function oneLine(text: string, width = Infinity): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > width ? `${beginning(line, width - 1)}…` : line;
}

/** What a table shows of a document. */
export function headline({ title, text }: { title?: string; text: string }, width: number): string {
  return oneLine(title ? `${title}: ${text}` : text, width);
}
