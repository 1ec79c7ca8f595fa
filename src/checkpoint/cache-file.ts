import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { defaultCacheFolder, openCacheFolder } from './cache-folder.js';
import { byteLength, readSafetensorsHeader, safetensorsHeader, type Dtype, type TensorRef } from './safetensors.js';

export interface CacheOptions {
  /** Where converted weights are kept. @default zrank in XDG_CACHE_HOME, else in ~/.cache */
  cacheFolder?: string | undefined;
  /** Bytes written, of how many. */
  onProgress?: ((progress: { completed: number; total: number }) => void) | undefined;
}

/** A part of a file's data that is computed at once. */
export interface Piece {
  bytes: number;
  compute: () => Promise<Uint8Array>;
}

/** A safetensors file that is computed from tensors of others. */
export interface CacheContent {
  /** Names what is computed of `sources`; another name for another way to do it. */
  kind: string;
  sources: readonly TensorRef[];
  tensors: readonly { name: string; shape: readonly number[]; dtype: Dtype }[];
  /** The tensors' data, one after the other. */
  pieces: Iterable<Piece>;
  /** Throws where the complete file is not to be used. */
  check?: ((tensors: TensorRef[]) => Promise<void>) | undefined;
}

/** What a complete file must be. */
interface Expected {
  /** The bytes before the data. */
  header: Buffer;
  /** Bytes in all. */
  size: number;
  /**
   * Time of its last change, in seconds: set when it is complete, to that of the youngest source. A file that was
   * written to afterwards has another time.
   */
  seal: number;
}

/**
 * The tensors of a cache file, which is written if it is not there, or if its size, its header or its time are not what
 * they must be. A file takes its name when it is complete and checked. Pieces are written at their places, in order: so
 * an interrupted file goes on where it stopped, and two processes that write the same one do not disturb each other.
 */
export async function cachedTensors(
  content: CacheContent,
  { cacheFolder, onProgress }: CacheOptions,
): Promise<TensorRef[]> {
  const header = safetensorsHeader(content.tensors);
  const size = header.length + content.tensors.reduce((sum, tensor) => sum + byteLength(tensor.shape, tensor.dtype), 0);
  const { key, youngest } = await identify(content);
  const expected: Expected = { header, size, seal: youngest };
  const name = `${key}.safetensors`;
  // It may lie in a folder that can only be read.
  const kept = join(cacheFolder ?? defaultCacheFolder(), name);
  if (await isComplete(kept, expected)) return readSafetensorsHeader(kept);
  const path = join(await openCacheFolder(cacheFolder), name);
  if (!(await isComplete(path, expected))) await writing(path, () => make(path, expected, content, onProgress));
  return readSafetensorsHeader(path);
}

async function make(
  path: string,
  expected: Expected,
  { pieces, check }: CacheContent,
  onProgress: CacheOptions['onProgress'],
): Promise<void> {
  const partial = `${path}.partial`;
  const inode = await write(partial, expected, pieces, onProgress);
  try {
    await check?.(await readSafetensorsHeader(partial));
    // What now has this name may be another process's, which has named ours and begun anew.
    if ((await inodeOf(partial)) === inode) await rename(partial, path);
  } catch (error) {
    // Another process that wrote the same file was the first to name it.
    if ((await inodeOf(path)) === inode) return;
    await rm(partial, { force: true });
    throw error;
  }
}

function inodeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

/** Returns the file's inode. */
async function write(
  path: string,
  { header, size, seal }: Expected,
  pieces: Iterable<Piece>,
  onProgress: CacheOptions['onProgress'],
): Promise<number> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    let done = (await file.stat()).size;
    if (done > size || (done >= header.length && !(await beginsWith(file, header)))) {
      await file.truncate(0);
      done = 0;
    }
    // Another process may have begun just now: nothing is cut off that it may have written.
    if (done < header.length) await writeAt(file, header, 0);
    let position = header.length;
    for (const { bytes, compute } of pieces) {
      if (position + bytes > done) {
        await writeAt(file, await compute(), position);
        onProgress?.({ completed: position + bytes, total: size });
      }
      position += bytes;
    }
    await file.sync();
    await file.utimes(seal, seal);
    return (await file.stat()).ino;
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await file.write(data, done, data.length - done, position + done)).bytesWritten;
  }
}

async function isComplete(path: string, { header, size, seal }: Expected): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return false;
  try {
    const found = await file.stat();
    return found.size === size && found.mtimeMs === 1000 * seal && (await beginsWith(file, header));
  } finally {
    await file.close();
  }
}

async function beginsWith(file: FileHandle, header: Buffer): Promise<boolean> {
  const start = Buffer.alloc(header.length);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  return bytesRead === header.length && start.equals(header);
}

/**
 * A key that is equal for the same computation on the same tensors of the same files, and when the youngest of them
 * changed.
 */
async function identify({ kind, sources }: CacheContent): Promise<{ key: string; youngest: number }> {
  const hash = createHash('sha256').update(kind);
  let youngest = 0;
  for (const path of new Set(sources.map((tensor) => tensor.path))) {
    const { size, mtimeMs } = await stat(path);
    hash.update(JSON.stringify([path, size, mtimeMs]));
    youngest = Math.max(youngest, Math.floor(mtimeMs / 1000));
  }
  return { key: hash.update(JSON.stringify(sources)).digest('hex').slice(0, 32), youngest };
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ZrankError) throw cause;
    throw new ZrankError('FILE_UNWRITABLE', `${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}
