import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ZrankError } from '../error.js';

/** Where zrank keeps what it can make again: $XDG_CACHE_HOME/zrank, else ~/.cache/zrank. */
export function defaultCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zrank');
}

/** The folder given, else the default one, made where it is not there. */
export async function openCacheFolder(given: string | undefined): Promise<string> {
  const folder = given ?? defaultCacheFolder();
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new ZrankError('FILE_UNWRITABLE', `the cache folder ${folder} cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
  return folder;
}
