import { ZrankError } from '../error.js';

/** The error for a file that the system would not open, read or write. */
export function fileError(path: string, action: 'read' | 'write', cause: unknown): ZrankError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT')
    return new ZrankError('FILE_NOT_FOUND', `there is no ${action === 'read' ? 'file' : 'folder for'} ${path}`, {
      cause,
    });
  const problem = action === 'read' ? 'FILE_UNREADABLE' : 'FILE_UNWRITABLE';
  return new ZrankError(problem, `cannot ${action} ${path}: ${message}`, { cause });
}
