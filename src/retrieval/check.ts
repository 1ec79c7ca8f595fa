import { ZrankError } from '../error.js';
import { aPositiveInteger } from '../options.js';

/** @throws ZrankError INVALID_ARGUMENT for an id that is no text; DUPLICATE_ID where it is known or comes twice */
export function checkNewIds(ids: readonly string[], isKnown: (id: string) => boolean): void {
  const seen = new Set<string>();
  for (const id of ids) {
    checkId(id);
    if (isKnown(id))
      throw new ZrankError('DUPLICATE_ID', `document ${id} is there already; nothing of this call was added`);
    if (seen.has(id))
      throw new ZrankError('DUPLICATE_ID', `document ${id} comes twice in one call; nothing of it was added`);
    seen.add(id);
  }
}

/** @throws ZrankError UNKNOWN_ID for an id that is not known; DUPLICATE_ID where it comes twice */
export function checkKnownIds(ids: readonly string[], isKnown: (id: string) => boolean): void {
  const seen = new Set<string>();
  for (const id of ids) {
    if (!isKnown(id))
      throw new ZrankError('UNKNOWN_ID', `there is no document ${id}; nothing of this call was removed`);
    if (seen.has(id))
      throw new ZrankError('DUPLICATE_ID', `document ${id} comes twice in one call; nothing of it was removed`);
    seen.add(id);
  }
}

/** @throws ZrankError INVALID_ARGUMENT */
export function checkId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || id === '') throw ZrankError.argument('a document id', 'a string that is not empty', id);
}

/** @throws ZrankError INVALID_ARGUMENT */
export function checkSearch(query: string, k: number): void {
  if (typeof query !== 'string') throw ZrankError.argument('the query', 'a string', query);
  checkCount('k', k);
}

/** @throws ZrankError INVALID_ARGUMENT */
export function checkCount(what: string, value: number): void {
  if (!aPositiveInteger.test(value)) throw ZrankError.argument(what, aPositiveInteger.expected, value);
}
