import { ZrankError } from '../error.js';
import { type EncodedPrompt, type EncodeOptions, type Pair, type PairEncoder, promptTooLong } from './pair-encoder.js';
import type { Encoding, Tokenizer } from './tokenizer.js';

/**
 * Turns texts and pairs into sequences without a template, as a BERT-like encoder takes them: with the special tokens
 * that the tokenizer's post-processor puts around them, and segments.
 */
export class SequenceEncoder implements PairEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #prompt: string;

  /**
   * `prompt` stands before each pair's query, as in sentence-transformers (base/modality.py, prepend_prompt_to_texts).
   */
  constructor(tokenizer: Tokenizer, prompt = '') {
    this.#tokenizer = tokenizer;
    this.#prompt = prompt;
  }

  async encode(pairs: readonly Pair[], options: EncodeOptions): Promise<EncodedPrompt[]> {
    if (options.instruction?.trim()) {
      throw new ZrankError(
        'INVALID_ARGUMENT',
        'this model takes no instruction: its input is the query and the document alone',
      );
    }
    const inputs = pairs.map((pair): Pair => (typeof pair === 'string' ? pair : [this.#prompt + pair[0], pair[1]]));
    const encodings = await this.#tokenizer.encodings(inputs, options.specialTokens);
    return encodings.map((encoding, i) => {
      if (encoding.getLength() > options.maxLength) return cut(encoding, pairs[i]!, options);
      return { ids: encoding.getIds(), typeIds: encoding.getTypeIds(), truncated: false };
    });
  }
}

/**
 * Drops as many of the last tokens of the document (or of a text that stands alone) as are too many, so that what
 * stands behind them stays. sentence-transformers does the same to a text; of a pair it cuts the longer one, which may
 * be the query.
 */
function cut(encoding: Encoding, pair: Pair, { maxLength, truncation }: EncodeOptions): EncodedPrompt {
  const excess = encoding.getLength() - maxLength;
  if (truncation === 'error') throw promptTooLong(encoding.getLength(), maxLength);
  const sequence = typeof pair === 'string' ? 0 : 1;
  const sequences = encoding.getSequenceIds();
  const start = sequences.indexOf(sequence);
  const end = sequences.lastIndexOf(sequence) + 1;
  if (start < 0 || end - start < excess) {
    const fixed = encoding.getLength() - Math.max(0, end - start);
    const what = sequence === 0 ? 'the special tokens' : 'the query and the special tokens';
    throw new ZrankError('QUERY_TOO_LONG', `${what} take ${fixed} tokens, more than maxLength = ${maxLength}`);
  }
  const kept = (values: number[]) => [...values.slice(0, end - excess), ...values.slice(end)];
  return { ids: kept(encoding.getIds()), typeIds: kept(encoding.getTypeIds()), truncated: true };
}
