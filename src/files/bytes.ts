import { createReadStream } from 'node:fs';
import { basename, extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { encodingOf, marks } from '../encoding.js';
import { ZrankError } from '../error.js';
import { refuseLfsPointer } from '../json.js';
import { fileError } from './file-error.js';

type Bytes = AsyncGenerator<Buffer, void, undefined>;

const gzip = Buffer.from([0x1f, 0x8b]);
const zstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** What is no text though it may hold one, by its first bytes. */
const containers = [
  { what: 'compressed by bzip2', magic: Buffer.from('BZh') },
  { what: 'compressed by xz', magic: Buffer.from('\xfd7zXZ\0', 'latin1') },
  { what: 'a ZIP archive', magic: Buffer.from('PK\x03\x04') },
  { what: 'a Parquet file', magic: Buffer.from('PAR1') },
  { what: 'a PDF', magic: Buffer.from('%PDF-') },
];

const signatures = [gzip, zstd, ...marks.map(({ bytes }) => bytes), ...containers.map(({ magic }) => magic)];

/** What a file is called in messages. */
export function nameOf(path: string): string {
  return path === '-' ? 'standard input' : path;
}

/** The end of a file's name in lower case, `.gz` and `.zst` aside; empty where the name has none. */
export function extensionOf(path: string): string {
  return extname(basename(path).replace(/\.(gz|zst)$/i, ''))
    .slice(1)
    .toLowerCase();
}

/**
 * The bytes of a text as UTF-8 without a byte order mark, streamed: decompressed where they begin as gzip or Zstandard
 * do, whatever the file is called, and converted where they are UTF-16. Whether they are UTF-8 then is left to the
 * reader.
 *
 * @param path a file, or `-` for standard input
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE; DATA_INVALID for what cannot be decompressed or is no text
 */
export function readBytes(path: string): Bytes {
  return toUtf8(readFile(path), nameOf(path));
}

async function* readFile(path: string): Bytes {
  try {
    yield* (path === '-' ? process.stdin : createReadStream(path)) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw fileError(nameOf(path), 'read', cause);
  }
}

async function* toUtf8(source: Bytes, name: string): Bytes {
  try {
    const head = await readHead(source);
    yield* convert(head, prepend(head, source), name);
  } finally {
    await source.return();
  }
}

function convert(head: Buffer, bytes: Bytes, name: string): Bytes {
  if (startsWith(head, gzip)) return toUtf8(decompress(bytes, gunzip, name), name);
  if (startsWith(head, zstd)) return toUtf8(decompress(bytes, unzstd, name), name);
  const container = containers.find(({ magic }) => startsWith(head, magic));
  if (container && head.includes(0))
    throw new ZrankError('DATA_INVALID', `${name} is ${container.what}: unpack it first`);
  refuseLfsPointer(name, head.toString('latin1', 0, 64));
  const encoding = encodingOf(head, name);
  return encoding === 'utf-8' ? withoutMark(bytes) : transcode(bytes, encoding, name);
}

/** As many chunks as it takes to know whether one of the signatures stands there: a session may wait for more. */
async function readHead(source: Bytes): Promise<Buffer> {
  let head = Buffer.alloc(0);
  while (signatures.some((signature) => head.length < signature.length && startsWith(signature, head))) {
    const { done, value } = await source.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  return head;
}

async function* prepend(head: Buffer, rest: Bytes): Bytes {
  if (head.length > 0) yield head;
  yield* rest;
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.subarray(0, start.length).equals(start);
}

async function* withoutMark(source: Bytes): Bytes {
  let isFirst = true;
  for await (const bytes of source) {
    yield isFirst && bytes.toString('latin1', 0, 3) === '\xef\xbb\xbf' ? bytes.subarray(3) : bytes;
    isFirst = false;
  }
}

async function* transcode(source: Bytes, encoding: string, name: string): Bytes {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const decode = (bytes?: Buffer): Buffer => {
    try {
      return Buffer.from(decoder.decode(bytes, { stream: bytes !== undefined }));
    } catch (cause) {
      throw new ZrankError('DATA_INVALID', `${name} is not ${encoding.toUpperCase()}, as which it begins`, { cause });
    }
  };
  for await (const bytes of source) yield decode(bytes);
  yield decode();
}

async function* decompress(source: Bytes, how: (source: Bytes) => Bytes, name: string): Bytes {
  try {
    yield* how(source);
  } catch (cause) {
    if (cause instanceof ZrankError) throw cause;
    throw new ZrankError('DATA_INVALID', `${name} cannot be decompressed: ${(cause as Error).message}`, { cause });
  }
}

async function* gunzip(source: Bytes): Bytes {
  const stream = createGunzip();
  const done = pipeline(source, stream);
  // What went wrong comes out of the stream too; and a reader may leave it before its end.
  done.catch(() => {});
  yield* stream as AsyncIterable<Buffer>;
}

async function* unzstd(source: Bytes): Bytes {
  const chunks: Uint8Array[] = [];
  const decompressor = new Decompress((chunk) => chunks.push(chunk));
  for await (const bytes of source) {
    decompressor.push(bytes);
    for (const { buffer, byteOffset, length } of chunks.splice(0)) yield Buffer.from(buffer, byteOffset, length);
  }
  decompressor.push(new Uint8Array(0), true);
}
