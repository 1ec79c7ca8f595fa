import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ZrankError } from '../error.js';
import { fileError } from '../files/file-error.js';

/**
 * The end of an index file, behind the vectors: what describes them (JSON, UTF-8), its length in bytes (u32, little
 * endian), the SHA-256 of all before it, and these eight bytes.
 */
const magic = Buffer.from('zrankix1');
const digestBytes = 32;
const tailBytes = 4 + digestBytes + magic.length;

/**
 * Writes an index file. It takes its name only when it is complete, so a failure leaves what was there before.
 *
 * @param writeVectors writes the vectors to a new file of the given name
 * @throws ZrankError FILE_NOT_FOUND where the folder is missing, FILE_UNWRITABLE
 */
export async function writeIndexFile(
  path: string,
  description: unknown,
  writeVectors: (path: string) => Promise<void>,
): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    await access(dirname(path));
    await writeVectors(unfinished);
    const text = Buffer.from(JSON.stringify(description));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    const digest = (await hashOf(unfinished)).update(text).update(length).digest();
    const file = await open(unfinished, 'a');
    try {
      await file.writeFile(Buffer.concat([text, length, digest, magic]));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw cause instanceof ZrankError ? cause : fileError(path, 'write', cause);
  }
}

/**
 * Reads and checks the end of an index file.
 *
 * @returns what writeIndexFile() was given as description, and the number of bytes of the vectors, which begin the file
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE; INDEX_INVALID where it is not as it was written
 */
export async function readIndexFile(path: string): Promise<{ description: unknown; vectorBytes: number }> {
  try {
    const file = await open(path);
    try {
      return await readEnd(path, file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw cause instanceof ZrankError ? cause : fileError(path, 'read', cause);
  }
}

/** The error for a file that is no index, or no longer. */
export function invalidIndex(path: string, problem: string, options: { cause?: unknown } = {}): ZrankError {
  return new ZrankError('INDEX_INVALID', `${path} is no vector index that can be used: ${problem}`, options);
}

async function readEnd(path: string, file: FileHandle): Promise<{ description: unknown; vectorBytes: number }> {
  const { size } = await file.stat();
  if (size < tailBytes) throw invalidIndex(path, `it ends after ${size} bytes`);
  const tail = await readBytes(file, size - tailBytes, tailBytes);
  if (!tail.subarray(-magic.length).equals(magic)) throw invalidIndex(path, 'it was cut off, or is of another kind');
  const textBytes = tail.readUInt32LE(0);
  const vectorBytes = size - tailBytes - textBytes;
  if (vectorBytes < 0) throw invalidIndex(path, 'its parts are longer than the file');
  const digest = (await hashOf(path, size - tailBytes + 4)).digest();
  if (!digest.equals(tail.subarray(4, 4 + digestBytes)))
    throw invalidIndex(path, 'its bytes are not those that were written');
  const text = await readBytes(file, vectorBytes, textBytes);
  return { description: JSON.parse(text.toString()), vectorBytes };
}

/** Bytes of a file from `position` on; it has them, or has shrunk since. */
export async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0)
      throw new ZrankError('INDEX_INVALID', `the file ended at byte ${position + done} while it was read`);
    done += bytesRead;
  }
  return bytes;
}

async function hashOf(path: string, length = Infinity) {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path, { end: length - 1, highWaterMark: 2 ** 20 }))
    hash.update(bytes as Buffer);
  return hash;
}
