import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** Paths of all files below a folder, relative to it, with '/' between names; links that lead nowhere are none. */
export async function filesBelow(folder: string): Promise<string[]> {
  const paths = await readdir(folder, { recursive: true });
  const found = await Promise.all(
    paths.map((path) =>
      stat(join(folder, path)).then(
        (entry) => entry.isFile(),
        () => false,
      ),
    ),
  );
  return paths.filter((_, i) => found[i]).map((path) => path.replaceAll(sep, '/'));
}
