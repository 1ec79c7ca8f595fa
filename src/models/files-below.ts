import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

/**
 * Paths of all files below a folder, relative to it, with '/' between names. Links to files are files, those to folders
 * are not followed, and those that lead nowhere are none.
 */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  // Node.js 20.4 to 20.11 have `path` alone, 24 has `parentPath` alone.
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        (entry) => entry.isFile(),
        () => false,
      ),
    ),
  );
  return paths.filter((_, i) => found[i]).map((path) => relative(folder, path).replaceAll(sep, '/'));
}
