import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** A folder's files by path, to be served. */
export async function filesOf(folder: string): Promise<Record<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(
      paths.map(async (path): Promise<[string, Buffer]> => [relative(folder, path), await readFile(path)]),
    ),
  );
}
