import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ZrankError } from '../error.js';
import { fileError } from '../evaluation/lines.js';
import type { CorpusDocument } from '../retrieval/retriever.js';
import { readDocuments } from './documents.js';

/** Paragraphs are put together up to this many characters, and longer ones are cut to it. */
const passageLength = 1000;
/** Larger files are hardly texts. */
const maxFileBytes = 8 * 2 ** 20;

/**
 * What `zrank search` looks through: the lines of a .jsonl file, or the passages of a text file or of the text files in
 * a folder. A passage's id is its file and line.
 *
 * @param onSkip told of each file of a folder that is no text
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID
 */
export async function* readCorpus(
  source: string,
  onSkip: (path: string, reason: string) => void,
): AsyncGenerator<CorpusDocument> {
  const stats = await stat(source).catch((cause: unknown) => {
    throw fileError(source, 'read', cause);
  });
  if (stats.isDirectory()) {
    for await (const path of walk(source)) {
      const text = await readTextFile(path);
      if ('reason' in text) onSkip(path, text.reason);
      else yield* passages(text.content, relative(source, path));
    }
  } else if (source.endsWith('.jsonl')) {
    const lines = await readDocuments(source);
    for (const [i, { text, id, title }] of lines.entries())
      yield { id: id ?? String(i + 1), text, ...(title !== undefined && { title }) };
  } else {
    const text = await readTextFile(source);
    if ('reason' in text) throw new ZrankError('DATA_INVALID', `${source} is ${text.reason}`);
    yield* passages(text.content, source);
  }
}

/** Files below a folder, by name; hidden ones and node_modules are left out, links are not followed. */
async function* walk(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

async function readTextFile(path: string): Promise<{ content: string } | { reason: string }> {
  try {
    if ((await stat(path)).size > maxFileBytes) return { reason: `larger than ${maxFileBytes} bytes` };
    const bytes = await readFile(path);
    if (bytes.includes(0)) return { reason: 'not a text' };
    try {
      return { content: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
    } catch {
      return { reason: 'not UTF-8' };
    }
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}

/**
 * Cuts a text into passages of whole paragraphs, parted by blank lines; a paragraph that is too long is cut at line or
 * sentence ends.
 */
export function* passages(content: string, name: string): Generator<CorpusDocument> {
  let passage = '';
  let start = 1;
  let line = 1;
  for (const part of content.split(/(\n\s*\n)/)) {
    const text = part.trim();
    if (text !== '') {
      if (passage !== '' && passage.length + text.length > passageLength) {
        yield* pieces(passage, name, start);
        passage = '';
      }
      if (passage === '') start = line + lineEnds(part.slice(0, part.search(/\S/)));
      passage = passage === '' ? text : `${passage}\n\n${text}`;
    }
    line += lineEnds(part);
  }
  if (passage !== '') yield* pieces(passage, name, start);
}

/** A passage whole or, where it is too long, in pieces. */
function* pieces(passage: string, name: string, start: number): Generator<CorpusDocument> {
  let rest = passage;
  let line = start;
  for (let number = 1; rest !== ''; number++) {
    const end = rest.length <= passageLength ? rest.length : lastBreak(rest.slice(0, passageLength));
    // Pieces of one line have one line number.
    yield { id: number === 1 ? `${name}:${start}` : `${name}:${line}#${number}`, text: rest.slice(0, end).trim() };
    const next = rest.slice(end).search(/\S/);
    const passed = next < 0 ? rest.length : end + next;
    line += lineEnds(rest.slice(0, passed));
    rest = rest.slice(passed);
  }
}

/** Behind the last line, sentence or word that ends in the second half, or the whole length. */
function lastBreak(text: string): number {
  for (const end of [/\n/g, /[.!?。]\s/g, /\s/g]) {
    const last = [...text.matchAll(end)].at(-1);
    if (last && last.index >= text.length / 2) return last.index + 1;
  }
  return text.length;
}

function lineEnds(text: string): number {
  return text.split('\n').length - 1;
}
