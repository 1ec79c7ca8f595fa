import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfPresent } from '../json.js';
import { hashFile } from '../models/file-hash.js';
import { neededFiles } from '../models/needed-files.js';

/** Files that say nothing to the model. */
const card = /^(README\.md|LICEN[CS]E(\.(md|txt))?)$/i;

/**
 * SHA-256 of the files that zrank reads of a model folder, by name and whole content, in hex. Takes about a second a
 * gigabyte.
 */
export async function modelHash(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.replace(/\/+$/, '').length + 1))
    .map((path) => path.replaceAll('\\', '/'));
  const { files } = await neededFiles(paths, (path) => readTextIfPresent(join(folder, path)));
  const hash = createHash('sha256');
  for (const name of files.filter((name) => !card.test(name)).sort()) {
    const path = join(folder, name);
    const { size } = await stat(path);
    hash.update(JSON.stringify([name, size, await hashFile(path, size, 'sha256')]));
  }
  return hash.digest('hex').slice(0, 32);
}
