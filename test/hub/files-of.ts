import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesBelow } from '../../dist/models/files-below.js';

/** A folder's files by path, to be served. */
export async function filesOf(folder: string): Promise<Record<string, Buffer>> {
  const paths = await filesBelow(folder);
  return Object.fromEntries(
    await Promise.all(paths.map(async (path): Promise<[string, Buffer]> => [path, await readFile(join(folder, path))])),
  );
}
