import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { defaultCacheFolder } from '../checkpoint/cache-folder.js';
import { embeddedModels } from '../package.js';

export interface ModelsReport {
  embedded: { name: string; folder: string; found: boolean }[];
  /** Of converted weights and links. Symbolic links are not followed. */
  cache: { folder: string; bytes: number };
}

export async function examineModels(): Promise<ModelsReport> {
  const folder = defaultCacheFolder();
  const found = (path: string) =>
    lstat(join(path, 'tokenizer.json')).then(
      (entry) => entry.size > 0,
      () => false,
    );
  return {
    embedded: await Promise.all(
      Object.values(embeddedModels).map(async (path) => ({
        name: basename(path),
        folder: path,
        found: await found(path),
      })),
    ),
    cache: { folder, bytes: await sizeOf(folder) },
  };
}

/** Bytes of all files in a folder; 0 where it is not there. */
async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      lstat(join(folder, name)).then(
        (entry) => (entry.isFile() ? entry.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
