import { throwIfAborted } from '../error.js';

/** What the work gives, or ABORTED as soon as the signal says so; a database finishes what it has begun. */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  let stop!: () => void;
  const aborted = new Promise<void>((resolve) => (stop = resolve));
  signal.addEventListener('abort', stop, { once: true });
  try {
    const result = await Promise.race([work, aborted]);
    throwIfAborted(signal);
    return result as T;
  } finally {
    signal.removeEventListener('abort', stop);
    // It may fail when nobody waits for it any more.
    work.catch(() => {});
  }
}
