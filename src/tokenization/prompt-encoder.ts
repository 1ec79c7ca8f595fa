import { ZrankError } from '../error.js';
import type { PromptTemplate } from '../prompt/prompt-template.js';
import {
  type EncodedPrompt,
  type EncodeOptions,
  type Pair,
  type PairEncoder,
  promptTooLong,
  type Token,
} from './pair-encoder.js';
import type { Tokenizer } from './tokenizer.js';

/** As many as sentence-transformers keeps (base/modules/transformer.py, _CHAT_TEMPLATE_SUFFIX_CACHE_SIZE). */
const maxTails = 256;

/** Turns pairs into the token ids of complete prompts, cut to a length so that the template's end stays. */
export class PromptEncoder implements PairEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #template: PromptTemplate;
  /** Ids that follow the document, by all that they depend on. */
  readonly #tails = new Map<string, Promise<readonly number[]>>();

  constructor(tokenizer: Tokenizer, template: PromptTemplate) {
    this.#tokenizer = tokenizer;
    this.#template = template;
  }

  tokens(texts: readonly string[], addSpecialTokens: boolean): Promise<Token[][]> {
    return this.#tokenizer.tokens(texts, addSpecialTokens);
  }

  async encode(pairs: readonly Pair[], options: EncodeOptions): Promise<EncodedPrompt[]> {
    const encoded = await this.#encode(pairs, options);
    return Promise.all(
      encoded.map((ids, i) =>
        ids.length > options.maxLength ? this.#cut(pairs[i]!, ids, options) : { ids, truncated: false },
      ),
    );
  }

  async #encode(pairs: readonly Pair[], { instruction, specialTokens }: EncodeOptions): Promise<number[][]> {
    const prompts = pairs.map((pair) =>
      typeof pair === 'string' ? pair : this.#template.render(...pair, instruction),
    );
    if (specialTokens === 'parse' || pairs.every((pair) => typeof pair === 'string'))
      return this.#tokenizer.encode(prompts);
    const harmless = this.#template.render('0', '0', instruction?.trim() && '0');
    const [frame, ...encoded] = await this.#tokenizer.encode([harmless, ...prompts]);
    const own = this.#tokenizer.addedTokens(frame!);
    return Promise.all(
      encoded.map((ids, i) => {
        const pair = pairs[i]!;
        if (typeof pair === 'string' || areEqual(this.#tokenizer.addedTokens(ids), own)) return ids;
        return this.#tokenizer.encodePieces(this.#template.pieces(...pair, instruction));
      }),
    );
  }

  /**
   * As sentence-transformers truncates (base/modules/transformer.py, _restore_chat_template_suffix): the ids are cut
   * from the right, then the template's constant tail is written over the last of them. A query that leaves the
   * document no room is an error here; there the tail overwrites it.
   */
  async #cut(pair: Pair, ids: number[], options: EncodeOptions): Promise<EncodedPrompt> {
    const { maxLength } = options;
    if (options.truncation === 'error') throw promptTooLong(ids.length, maxLength);
    if (typeof pair === 'string') return { ids: ids.slice(0, maxLength), truncated: true };
    const [withoutDocument] = await this.#encode([[pair[0], '']], options);
    if (withoutDocument!.length > maxLength) {
      throw new ZrankError(
        'QUERY_TOO_LONG',
        `the query and the template take ${withoutDocument!.length} tokens, more than maxLength = ${maxLength}`,
      );
    }
    const tail = await this.#tail(pair[0], options);
    return { ids: [...ids.slice(0, maxLength - tail.length), ...tail], truncated: true };
  }

  /**
   * What follows the document: the longest common end of two prompts whose documents differ. Their queries differ too,
   * unless the template puts the query behind the document; then it is part of what stays.
   */
  #tail(query: string, options: EncodeOptions): Promise<readonly number[]> {
    const { hasSystemMessage, endsWithQuery } = this.#template;
    const instruction = hasSystemMessage || endsWithQuery ? options.instruction : undefined;
    const key = JSON.stringify([options.specialTokens, instruction, endsWithQuery ? query : '']);
    let tail = this.#tails.get(key);
    if (tail === undefined) {
      const pairs = ['0', '1 2 3 4'].map((filler): Pair => [endsWithQuery ? query : filler, filler]);
      tail = this.#encode(pairs, { ...options, instruction }).then(([a, b]) => commonEnd(a!, b!));
      this.#tails.set(key, tail);
      tail.catch(() => this.#tails.delete(key));
      if (this.#tails.size > maxTails) this.#tails.delete(this.#tails.keys().next().value!);
    }
    return tail;
  }
}

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Nothing where one list is the end of the other: then it may be more than the template's. */
function commonEnd(a: readonly number[], b: readonly number[]): readonly number[] {
  const shorter = Math.min(a.length, b.length);
  let length = 0;
  while (length < shorter && a.at(-1 - length) === b.at(-1 - length)) length++;
  return length < shorter ? a.slice(a.length - length) : [];
}
