import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ZrankError } from '../error.js';

export interface DatasetFolder {
  /** The folder's own. */
  name: string;
  folder: string;
}

/**
 * Finds folders in the layout of BEIR, for openBeir(): the folder itself if it is one, else those in it, by name.
 *
 * @throws ZrankError FILE_NOT_FOUND where there are none
 */
export async function findDatasets(folder: string): Promise<DatasetFolder[]> {
  if (await isBeirFolder(folder)) return [{ name: basename(resolve(folder)), folder }];
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new ZrankError('FILE_NOT_FOUND', `there is no folder ${folder}`, { cause });
  });
  const found: DatasetFolder[] = [];
  for (const name of names.sort()) {
    if (await isBeirFolder(join(folder, name))) found.push({ name, folder: join(folder, name) });
  }
  if (found.length === 0)
    throw new ZrankError('FILE_NOT_FOUND', `${folder} is no BEIR folder and holds none: there is no corpus.jsonl`);
  return found;
}

/** A file of a dataset, as it is called or compressed: with .gz or .zst behind its name. */
export async function findFile(folder: string, name: string): Promise<string | undefined> {
  for (const end of ['', '.gz', '.zst']) {
    const path = join(folder, name + end);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  return undefined;
}

async function isBeirFolder(folder: string): Promise<boolean> {
  return (await findFile(folder, 'corpus.jsonl')) !== undefined;
}
