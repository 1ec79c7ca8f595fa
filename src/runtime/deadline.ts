import { ZrankError } from '../error.js';

/**
 * Calls with a signal that also ends after so many milliseconds, with a ZrankError TIMEOUT as its reason. Without a
 * time the caller's signal is passed on as it is.
 */
export async function withDeadline<T>(
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  call: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return call(signal);
  const controller = new AbortController();
  const abort = () => controller.abort(signal!.reason);
  const expire = () => controller.abort(new ZrankError('TIMEOUT', `the call took longer than ${timeoutMs} ms`));
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(expire, timeoutMs);
  try {
    return await call(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
