import { ZrankError } from '../error.js';

/** The error for a file of the cache that cannot be written: DISK_FULL or FILE_UNWRITABLE. */
export function writeError(cause: unknown): ZrankError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new ZrankError(isFull ? 'DISK_FULL' : 'FILE_UNWRITABLE', `a model's file cannot be written: ${message}`, {
    cause,
  });
}
