import { constants, rmSync } from 'node:fs';
import { access, mkdir, mkdtemp } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZrankError } from '../error.js';

/** Where zrank keeps what it can make again: $XDG_CACHE_HOME/zrank, else ~/.cache/zrank. */
export function defaultCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zrank');
}

/** This process's instead, by the folder that cannot be written. */
const substitutes = new Map<string, Promise<string>>();

/**
 * The folder given, else the default one, made where it is not there. Where it cannot be written, as in a container
 * whose user has no home, a folder of this process takes its place, and a warning says so.
 */
export async function openCacheFolder(given: string | undefined): Promise<string> {
  const folder = given ?? defaultCacheFolder();
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
    return folder;
  } catch (cause) {
    const known = substitutes.get(folder) ?? makeSubstitute(folder, cause as Error);
    substitutes.set(folder, known);
    return known;
  }
}

async function makeSubstitute(folder: string, why: Error): Promise<string> {
  const substitute = await mkdtemp(join(tmpdir(), 'zrank-cache-')).catch((cause: unknown) => {
    throw new ZrankError(
      'FILE_UNWRITABLE',
      `neither the cache folder ${folder} nor ${tmpdir()} can be written: ${why.message}; ${(cause as Error).message}`,
      { cause },
    );
  });
  process.once('exit', () => rmSync(substitute, { recursive: true, force: true }));
  process.emitWarning(
    `zrank's cache folder ${folder} cannot be written (${why.message}): weights are converted again in each process; ` +
      'cacheFolder, or XDG_CACHE_HOME, names another',
  );
  return substitute;
}
