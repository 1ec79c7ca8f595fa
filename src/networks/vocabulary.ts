import { ZrankError } from '../error.js';
import type { EncodedPrompt } from '../tokenization/pair-encoder.js';
import type { Tokenizer } from '../tokenization/tokenizer.js';

/**
 * Throws TOKENIZER_INVALID for a token that the embedding, of `rows` rows, does not have: added to the tokenizer, and
 * the network never resized. In a batch it would fail everybody's prompts.
 */
export function checkVocabulary(prompts: readonly EncodedPrompt[], rows: number, tokenizer: Tokenizer): void {
  for (const { ids } of prompts) {
    const id = ids.find((candidate) => candidate >= rows);
    if (id === undefined) continue;
    const token = JSON.stringify(tokenizer.tokenText(id) ?? null);
    throw new ZrankError(
      'TOKENIZER_INVALID',
      `a prompt has the token ${token} of id ${id}, but the network's embedding has ${rows} rows`,
      { expected: `an id below ${rows}`, received: `${id}` },
    );
  }
}
