import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfPresent } from '../json.js';
import { hashFile } from '../models/file-hash.js';
import { filesBelow } from '../models/files-below.js';
import { neededFiles } from '../models/needed-files.js';

/** Files that say nothing to the model. */
const card = /^(README\.md|LICEN[CS]E(\.(md|txt))?)$/i;

/**
 * SHA-256 of the files that zrank reads of a model folder, by name and whole content, in hex. Takes about a second a
 * gigabyte.
 */
export async function modelHash(folder: string): Promise<string> {
  const { files } = await neededFiles(await filesBelow(folder), (path) => readTextIfPresent(join(folder, path)));
  const hash = createHash('sha256');
  for (const name of files.filter((name) => !card.test(name)).sort()) {
    const path = join(folder, name);
    const { size } = await stat(path);
    hash.update(JSON.stringify([name, size, await hashFile(path, size, 'sha256')]));
  }
  return hash.digest('hex').slice(0, 32);
}
