import { randomUUID } from 'node:crypto';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import { fileError } from './file-error.js';

/**
 * Writes a file under another name beside its own, which it takes when it is complete: a failure leaves what was there
 * before. What is no plain file, such as a pipe, is written as it stands.
 *
 * @param write writes all of it to a path that does not exist yet
 * @throws ZrankError FILE_NOT_FOUND where the folder is missing, FILE_UNWRITABLE
 */
export async function replaceFile(path: string, write: (path: string) => Promise<void>): Promise<void> {
  let unfinished: string | undefined;
  try {
    const present = await stat(path).catch(() => undefined);
    if (present && !present.isFile()) return await write(path);
    const target = present ? await realpath(path) : path;
    unfinished = `${target}.${randomUUID()}.tmp`;
    await write(unfinished);
    await rename(unfinished, target);
  } catch (cause) {
    // The first error is the one to tell.
    if (unfinished !== undefined) await rm(unfinished, { force: true }).catch(() => {});
    throw cause instanceof ZrankError ? cause : fileError(path, 'write', cause);
  }
}
