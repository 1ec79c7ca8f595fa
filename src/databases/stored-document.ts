import { ZrankError } from '../error.js';
import { anObject } from '../options.js';
import type { CorpusDocument } from '../retrieval/retriever.js';

/** A document with what its filters are about. */
export interface StoredDocument extends CorpusDocument {
  /** As JSON has it. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** @throws ZrankError INVALID_ARGUMENT */
export function checkDocument({ id, text, metadata = {} }: StoredDocument): void {
  if (typeof text !== 'string') throw ZrankError.argument(`the text of document ${id}`, 'a string', text);
  if (!anObject.test(metadata)) throw ZrankError.argument(`the metadata of document ${id}`, 'an object', metadata);
}
