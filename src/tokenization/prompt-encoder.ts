import { ZrankError } from '../error.js';
import type { PromptTemplate } from '../prompt/prompt-template.js';
import type { EncodedPrompt, EncodeOptions, Pair, PairEncoder } from './pair-encoder.js';
import type { Tokenizer, TokenizerInput } from './tokenizer.js';

/** Not a character of any text: a private-use code point of the last plane. */
const mark = '\u{10FFFD}';

/** Turns pairs into the token ids of complete prompts, cut to a length so that the template's end stays. */
export class PromptEncoder implements PairEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #template: PromptTemplate | undefined;
  /** Ids that follow every document, a list an instruction. */
  readonly #tails = new Map<string, Promise<readonly number[]>>();

  /** Without a template, query and document are tokenized one after the other. */
  constructor(tokenizer: Tokenizer, template: PromptTemplate | undefined) {
    this.#tokenizer = tokenizer;
    this.#template = template;
  }

  async encode(pairs: readonly Pair[], options: EncodeOptions): Promise<EncodedPrompt[]> {
    const encoded = await this.#encode(pairs, options);
    return Promise.all(encoded.map((ids, i) => (ids.length > options.maxLength ? this.#cut(pairs[i]!, ids, options) : { ids, truncated: false })));
  }

  async #encode(pairs: readonly Pair[], options: EncodeOptions): Promise<number[][]> {
    const { instruction } = options;
    const hostile = (pair: Pair) => options.specialTokens === 'text' && this.#hasSpecialToken(pair, instruction);
    const plain = await this.#tokenizer.encode(
      pairs.map((pair) => (hostile(pair) ? '' : this.#input(pair, instruction))),
      this.#template === undefined,
    );
    return Promise.all(plain.map((ids, i) => (hostile(pairs[i]!) ? this.#encodeAsText(pairs[i]!, instruction) : ids)));
  }

  #hasSpecialToken(pair: Pair, instruction: string | undefined): boolean {
    if (typeof pair === 'string') return false;
    return [...pair, instruction ?? ''].some((text) => this.#tokenizer.hasSpecialToken(text));
  }

  async #encodeAsText(pair: Pair, instruction: string | undefined): Promise<number[]> {
    if (typeof pair === 'string') throw new ZrankError('INTERNAL', 'a complete prompt cannot be encoded as text');
    const safe = (text: string) => this.#tokenizer.breakSpecialTokens(text, mark);
    const input = this.#input([safe(pair[0]), safe(pair[1])], instruction === undefined ? undefined : safe(instruction));
    if (typeof input === 'string') return this.#tokenizer.encodeSegments(input, mark);
    return (await Promise.all(input.map((text) => this.#tokenizer.encodeSegments(text, mark)))).flat();
  }

  #input(pair: Pair, instruction: string | undefined): TokenizerInput {
    if (typeof pair === 'string') return pair;
    return this.#template === undefined ? pair : this.#template.render(pair[0], pair[1], instruction);
  }

  /**
   * As sentence-transformers truncates (base/modules/transformer.py, _restore_chat_template_suffix): the ids are cut
   * from the right, then the template's constant tail is written over the last of them. A query that leaves the
   * document no room is an error here; there the tail overwrites it.
   */
  async #cut(pair: Pair, ids: number[], options: EncodeOptions): Promise<EncodedPrompt> {
    const { maxLength } = options;
    if (options.truncation === 'error') {
      throw new ZrankError('PROMPT_TOO_LONG', `a prompt has ${ids.length} tokens, the limit is maxLength = ${maxLength}`, {
        expected: `at most ${maxLength} tokens`,
        received: `${ids.length} tokens`,
      });
    }
    if (typeof pair === 'string') return { ids: ids.slice(0, maxLength), truncated: true };
    const [withoutDocument] = await this.#encode([[pair[0], '']], options);
    if (withoutDocument!.length > maxLength) {
      throw new ZrankError(
        'QUERY_TOO_LONG',
        `the query and the template take ${withoutDocument!.length} tokens, more than maxLength = ${maxLength}`,
      );
    }
    const tail = await this.#tail(options.instruction);
    return { ids: [...ids.slice(0, maxLength - tail.length), ...tail], truncated: true };
  }

  /** The longest common end of two prompts whose queries and documents differ. */
  #tail(instruction: string | undefined): Promise<readonly number[]> {
    const key = instruction ?? '';
    let tail = this.#tails.get(key);
    if (tail === undefined) {
      const inputs = ['0', '1 2 3 4'].map((filler) => this.#input([filler, filler], this.#template?.hasSystemMessage ? instruction : undefined));
      tail = this.#tokenizer.encode(inputs, this.#template === undefined).then(([a, b]) => commonEnd(a!, b!));
      this.#tails.set(key, tail);
    }
    return tail;
  }
}

function commonEnd(a: readonly number[], b: readonly number[]): readonly number[] {
  let length = 0;
  while (length < a.length && length < b.length && a.at(-1 - length) === b.at(-1 - length)) length++;
  return a.slice(a.length - length);
}
