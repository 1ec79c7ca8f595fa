import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ZrankError } from '../error.js';
import { fileError } from '../files/file-error.js';
import { replaceFile } from '../files/replace-file.js';

/** Where the texts and the results of shards lie: whole objects under names that say what is in them. */
export interface ObjectStore {
  /** As people name it, on any machine that reaches it. */
  readonly location: string;
  /** Undefined where there is no such object. */
  get(key: string): Promise<Buffer | undefined>;
  /** Afterwards the object is there whole, or, where this throws, as it was before. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** The names of the objects below a prefix that ends in a slash, without it. */
  list(prefix: string): Promise<string[]>;
}

/** A folder, which all machines reach under the same path or are told their own. */
export class FolderStore implements ObjectStore {
  readonly location: string;

  constructor(folder: string) {
    this.location = resolve(folder);
  }

  async get(key: string): Promise<Buffer | undefined> {
    const path = join(this.location, key);
    try {
      return await readFile(path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw fileError(path, 'read', cause);
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.location, key);
    try {
      await mkdir(dirname(path), { recursive: true });
      await replaceFile(path, (unfinished) => writeToDisk(unfinished, bytes));
    } catch (error) {
      throw asDiskError(error, path);
    }
  }

  async list(prefix: string): Promise<string[]> {
    const path = join(this.location, prefix);
    try {
      return await readdir(path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw fileError(path, 'read', cause);
    }
  }
}

/** Written through to the disk: a machine that loses its power leaves no empty file under a finished name. */
async function writeToDisk(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

function asDiskError(error: unknown, path: string): ZrankError {
  const cause = error instanceof ZrankError ? error.cause : error;
  const { code, message } = (cause ?? error) as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ZrankError('DISK_FULL', `cannot write ${path}: ${message}`, { cause });
  return error instanceof ZrankError ? error : fileError(path, 'write', error);
}
