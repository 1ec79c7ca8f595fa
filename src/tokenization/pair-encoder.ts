import { ZrankError } from '../error.js';

/** A query and a document, or a prompt that is complete already. */
export type Pair = readonly [query: string, document: string] | string;

export interface EncodeOptions {
  instruction?: string | undefined;
  /** Longest prompt in tokens. */
  maxLength: number;
  /** What happens to a longer prompt: its document is cut (by encoders, the longer text), or PROMPT_TOO_LONG. */
  truncation: 'document' | 'error';
  /** Whether strings of special tokens in queries and documents become those tokens, or stay text. */
  specialTokens: 'parse' | 'text';
}

export interface EncodedPrompt {
  ids: number[];
  /** The segment of each token, for models that have segments. */
  typeIds?: number[];
  /** Whether tokens were cut. */
  truncated: boolean;
}

/** A piece of a text. */
export interface Token {
  id: number;
  /** In the vocabulary's own spelling. */
  text: string;
  /** Whether it is a special token that the tokenizer has put there. */
  special: boolean;
  /** Where it begins and ends in the text, in code points. */
  start: number;
  end: number;
}

/** Turns pairs into the token ids that a model scores. */
export interface PairEncoder {
  encode(pairs: readonly Pair[], options: EncodeOptions): Promise<EncodedPrompt[]>;
  /** The tokens of texts by themselves, outside of any prompt. */
  tokens(texts: readonly string[], addSpecialTokens: boolean): Promise<Token[][]>;
}

/** Tokenize this many characters at a time, so that the event loop is not held up for long. */
export const chunkCharacters = 65_536;

/** What a text costs beyond its characters, counted in characters: many empty texts are many chunks too. */
const textCost = 128;

/** Splits pairs, in their order, into chunks of about so many characters. */
export function* chunksOf<P extends Pair>(pairs: readonly P[], characters: number): Generator<P[]> {
  let chunk: P[] = [];
  let length = 0;
  for (const pair of pairs) {
    chunk.push(pair);
    length += textCost + (typeof pair === 'string' ? pair.length : pair[0].length + pair[1].length);
    if (length >= characters) {
      yield chunk;
      chunk = [];
      length = 0;
    }
  }
  if (chunk.length) yield chunk;
}

/** What truncation 'error' throws at a prompt of so many tokens. */
export function promptTooLong(tokens: number, maxLength: number): ZrankError {
  return new ZrankError('PROMPT_TOO_LONG', `a prompt has ${tokens} tokens, the limit is maxLength = ${maxLength}`, {
    expected: `at most ${maxLength} tokens`,
    received: `${tokens} tokens`,
  });
}
