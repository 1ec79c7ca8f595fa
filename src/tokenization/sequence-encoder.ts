import { ZrankError } from '../error.js';
import {
  type EncodedPrompt,
  type EncodeOptions,
  type Pair,
  type PairEncoder,
  promptTooLong,
  type Token,
} from './pair-encoder.js';
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

  tokens(texts: readonly string[], addSpecialTokens: boolean): Promise<Token[][]> {
    return this.#tokenizer.tokens(texts, addSpecialTokens);
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
    return encodings.map((encoding) => {
      if (encoding.getLength() > options.maxLength) return cut(encoding, options);
      return { ids: encoding.getIds(), typeIds: encoding.getTypeIds(), truncated: false };
    });
  }
}

/**
 * Drops the last tokens of the text, or of the longer one of a pair, so that what stands behind them stays: as
 * tokenizers' `longest_first`, with which sentence-transformers cuts. Of a query that takes no more than half of the
 * room nothing is cut.
 */
function cut(encoding: Encoding, { maxLength, truncation }: EncodeOptions): EncodedPrompt {
  if (truncation === 'error') throw promptTooLong(encoding.getLength(), maxLength);
  const sequences = encoding.getSequenceIds();
  const [first, second] = [0, 1].map((sequence) => sequences.filter((id) => id === sequence).length);
  const special = sequences.length - first! - second!;
  if (special > maxLength)
    throw new ZrankError(
      'QUERY_TOO_LONG',
      `the special tokens take ${special} tokens, more than maxLength = ${maxLength}`,
    );
  const room = longestFirst(Math.min(first!, maxLength), Math.min(second!, maxLength), maxLength - special);
  const kept = sequences.map((id) => id === undefined || id === null || room[id]!-- > 0);
  const keep = (values: number[]) => values.filter((_, i) => kept[i]);
  return { ids: keep(encoding.getIds()), typeIds: keep(encoding.getTypeIds()), truncated: true };
}

/**
 * How many tokens of two texts stay in `room`, which they exceed (tokenizers/src/utils/truncation.rs; the library has
 * cut each to maxLength before).
 */
function longestFirst(first: number, second: number, room: number): [first: number, second: number] {
  const shorter = Math.min(first, second);
  const isFirstLonger = first > second;
  const half = Math.floor(room / 2);
  const [less, more] = shorter <= half ? [shorter, room - shorter] : [half, room - half];
  return isFirstLonger ? [more, less] : [less, more];
}
