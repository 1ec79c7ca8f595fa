import { Tokenizer as HfTokenizer, type Encoding } from 'tokenizers';
import { ZrankError } from '../error.js';
import { isObject } from '../checkpoint/json.js';

export type { Encoding };

/** A text, or two that are tokenized one after the other. */
export type TokenizerInput = string | readonly [text: string, pair: string];

/**
 * Hugging Face's tokenizer of a checkpoint. Strings of special tokens inside a text become those tokens, as everywhere
 * in Hugging Face; encodeSegments() is the way around it.
 */
export class Tokenizer {
  readonly #parsing: HfTokenizer;
  readonly #json: string;
  #plain: HfTokenizer | undefined;
  readonly #specialTokens: ReadonlyMap<string, SpecialToken>;
  readonly #specialPattern: RegExp | undefined;

  /** `json` is the text of tokenizer.json; truncation and padding that it may ask for are left out. */
  constructor(json: string) {
    this.#json = json;
    this.#parsing = create(json);
    this.#specialTokens = new Map(addedTokens(JSON.parse(json)).map((token) => [token.content, token]));
    // Leftmost match, the longest where several begin at one place, as the library matches them.
    const contents = [...this.#specialTokens.keys()].sort((a, b) => b.length - a.length);
    this.#specialPattern = contents.length ? new RegExp(contents.map(escapeRegExp).join('|'), 'gu') : undefined;
  }

  /** Token ids of each input. `addSpecialTokens`: what the tokenizer's post-processor adds around a text. */
  async encode(inputs: readonly TokenizerInput[], addSpecialTokens: boolean): Promise<number[][]> {
    const encodings = await encodeAll(this.#parsing, inputs, addSpecialTokens);
    return encodings.map((encoding) => encoding.getIds());
  }

  /**
   * What the library knows of each input's tokens, those that the post-processor adds included. `specialTokens`: whether
   * strings of special tokens inside the texts become those tokens, or stay text.
   */
  encodings(inputs: readonly TokenizerInput[], specialTokens: 'parse' | 'text'): Promise<Encoding[]> {
    return encodeAll(specialTokens === 'parse' ? this.#parsing : this.#plainTokenizer(), inputs, true);
  }

  /** The token of an id, in the vocabulary's own spelling. */
  tokenText(id: number): string | undefined {
    return this.#parsing.idToToken(id) ?? undefined;
  }

  /** Whether a text holds the string of a special token. */
  hasSpecialToken(text: string): boolean {
    return this.#specialPattern !== undefined && text.search(this.#specialPattern) >= 0;
  }

  /** Puts `mark` behind the first character of every special token's string, so that it is none any more. */
  breakSpecialTokens(text: string, mark: string): string {
    return this.#specialPattern === undefined ? text : text.replace(this.#specialPattern, (token) => token[0] + mark + token.slice(1));
  }

  /**
   * Token ids of a prompt in which breakSpecialTokens() has marked the strings that are ordinary text: special tokens
   * without the mark are parsed, everything between them is encoded, the mark removed, without looking for any.
   */
  async encodeSegments(prompt: string, mark: string): Promise<number[]> {
    const plain = this.#plainTokenizer();
    const ids: number[] = [];
    for (const segment of this.#segments(prompt)) {
      if (typeof segment === 'number') ids.push(segment);
      else if (segment) ids.push(...(await plain.encode(segment.replaceAll(mark, ''), null, { addSpecialTokens: false })).getIds());
    }
    return ids;
  }

  #plainTokenizer(): HfTokenizer {
    this.#plain ??= create(withoutSpecialTokens(this.#json));
    return this.#plain;
  }

  *#segments(prompt: string): Generator<string | number> {
    let end = 0;
    let strip = false;
    for (const match of this.#specialPattern ? prompt.matchAll(this.#specialPattern) : []) {
      const token = this.#specialTokens.get(match[0])!;
      const text = prompt.slice(end, match.index);
      yield trim(text, strip, token.lstrip);
      yield token.id;
      end = match.index + match[0].length;
      strip = token.rstrip;
    }
    yield trim(prompt.slice(end), strip, false);
  }
}

/** An entry of added_tokens: control tokens such as `<|im_end|>` and `<think>`, whether marked special or not. */
interface SpecialToken {
  id: number;
  content: string;
  /** The token takes the white space to its left, or right, with it. */
  lstrip: boolean;
  rstrip: boolean;
}

function trim(text: string, start: boolean, end: boolean): string {
  const trimmed = start ? text.trimStart() : text;
  return end ? trimmed.trimEnd() : trimmed;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function addedTokens(json: Record<string, unknown>): SpecialToken[] {
  const tokens = json['added_tokens'];
  return Array.isArray(tokens) ? tokens.filter((token): token is SpecialToken => isObject(token) && typeof token['content'] === 'string') : [];
}

function withoutSpecialTokens(text: string): string {
  const json = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify({ ...json, added_tokens: [] });
}

/** The library's encodeBatch() takes no pairs. */
function encodeAll(tokenizer: HfTokenizer, inputs: readonly TokenizerInput[], addSpecialTokens: boolean): Promise<Encoding[]> {
  const isText = (input: TokenizerInput): input is string => typeof input === 'string';
  if (inputs.every(isText)) return tokenizer.encodeBatch([...inputs], { addSpecialTokens });
  return Promise.all(
    inputs.map((input) => {
      const [text, pair] = isText(input) ? [input, null] : input;
      return tokenizer.encode(text, pair, { addSpecialTokens });
    }),
  );
}

function create(json: string): HfTokenizer {
  try {
    const tokenizer = HfTokenizer.fromString(json);
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    return tokenizer;
  } catch (cause) {
    throw new ZrankError('TOKENIZER_INVALID', `tokenizer.json cannot be loaded: ${(cause as Error).message}`, { cause });
  }
}
