import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ZrankError } from '../error.js';
import { nameOf, readBytes } from '../files/bytes.js';
import { openDocuments, type PlacedDocument } from '../files/documents.js';
import { fileError } from '../files/file-error.js';
import { joinLines } from '../files/lines.js';
import type { CorpusDocument } from '../retrieval/retriever.js';
import { beginning } from './output.js';

/** Paragraphs are put together up to this many characters, and longer ones are cut to it. */
const passageLength = 1000;
/** Larger files of a folder are hardly texts. */
const maxFileBytes = 8 * 2 ** 20;

/** Told of each file of a folder that cannot be read or is no text. */
type OnSkip = (path: string, reason: string) => void;

/**
 * What `zrank search` looks through: the documents of a JSON file, or the passages of a text file or of the text files
 * in a folder. A passage's id is its file and line.
 *
 * @param source `-` for standard input
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID, DUPLICATE_ID
 */
export async function* readCorpus(source: string, onSkip: OnSkip): AsyncGenerator<CorpusDocument> {
  if (source !== '-' && (await stats(source)).isDirectory()) return yield* readFolder(source, onSkip);
  const opened = await openDocuments(source);
  if (opened.format === 'json') yield* withIds(opened.documents);
  else yield* passages(await joinLines(opened.lines), nameOf(source));
}

async function stats(path: string) {
  return stat(path).catch((cause: unknown) => {
    throw fileError(path, 'read', cause);
  });
}

/** A document without an id is called by its number, counted from 1. */
async function* withIds(documents: AsyncIterable<PlacedDocument>): AsyncGenerator<CorpusDocument> {
  const seen = new Set<string>();
  for await (const { document, place } of documents) {
    const id = document.id ?? String(seen.size + 1);
    if (seen.has(id)) throw new ZrankError('DUPLICATE_ID', `${place}: id ${id} stands before`);
    seen.add(id);
    yield { ...document, id };
  }
}

async function* readFolder(folder: string, onSkip: OnSkip): AsyncGenerator<CorpusDocument> {
  for await (const path of walk(folder, onSkip)) {
    const text = await readTextFile(path);
    if ('reason' in text) onSkip(path, text.reason);
    else yield* passages(text.content, relative(folder, path));
  }
}

/** Files below a folder, by name; hidden ones and node_modules are left out, links are not followed. */
async function* walk(folder: string, onSkip: OnSkip): AsyncGenerator<string> {
  for (const entry of await list(folder)) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    else if (!entry.isDirectory()) onSkip(path, entry.isSymbolicLink() ? 'a link' : 'no plain file');
    else
      try {
        yield* walk(path, onSkip);
      } catch (error) {
        onSkip(path, reasonOf(error, path));
      }
  }
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw fileError(folder, 'read', cause);
  }
}

async function readTextFile(path: string): Promise<{ content: string } | { reason: string }> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    if (!(await stats(path)).isFile()) return { reason: 'no plain file' };
    for await (const chunk of readBytes(path)) {
      length += chunk.length;
      if (length > maxFileBytes) return { reason: `larger than ${maxFileBytes} bytes` };
      chunks.push(chunk);
    }
  } catch (error) {
    return { reason: reasonOf(error, path) };
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.includes(0)) return { reason: 'not a text' };
  if (!isUtf8(bytes)) return { reason: 'not UTF-8' };
  return { content: bytes.toString().replace(/\r\n?/g, '\n') };
}

/** Of a file or folder that cannot be read; any other error is thrown on. */
function reasonOf(error: unknown, path: string): string {
  if (!(error instanceof ZrankError)) throw error;
  if (error.code !== 'FILE_NOT_FOUND') return error.message.replace(path, 'it');
  return path.includes('\ufffd') ? 'its name is not UTF-8' : 'it is gone';
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
    const end = rest.length <= passageLength ? rest.length : lastBreak(rest);
    // Pieces of one line have one line number.
    yield { id: number === 1 ? `${name}:${start}` : `${name}:${line}#${number}`, text: rest.slice(0, end).trim() };
    const next = rest.slice(end).search(/\S/);
    const passed = next < 0 ? rest.length : end + next;
    line += lineEnds(rest.slice(0, passed));
    rest = rest.slice(passed);
  }
}

/** Behind the last line, sentence or word that ends in the second half, or all that fits. */
function lastBreak(rest: string): number {
  const text = beginning(rest, passageLength);
  for (const end of [/\n/g, /[.!?。]\s/g, /\s/g]) {
    const last = [...text.matchAll(end)].at(-1);
    if (last && last.index >= text.length / 2) return last.index + 1;
  }
  return text.length || passageLength;
}

function lineEnds(text: string): number {
  return text.split('\n').length - 1;
}
