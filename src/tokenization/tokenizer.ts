import { randomUUID } from 'node:crypto';
import { Tokenizer as HfTokenizer, type Encoding } from 'tokenizers';
import { ZrankError } from '../error.js';
import { isObject, type JsonObject } from '../json.js';
import type { Token } from './pair-encoder.js';
import { absentCharacter, type PromptPiece } from '../prompt/prompt-template.js';

export type { Encoding };

/** A text, or two that are tokenized one after the other. */
export type TokenizerInput = string | readonly [text: string, pair: string];

/**
 * Hugging Face's tokenizer of a checkpoint. Strings of special tokens inside a text become those tokens, as everywhere
 * in Hugging Face; encodePieces(), and encodings() with 'text', are the ways around it. Special tokens are here all
 * that tokenizer.json lists as added_tokens: control tokens such as `<|im_end|>` and `<think>`, whether marked special
 * or not.
 */
export class Tokenizer {
  readonly #parsing: HfTokenizer;
  readonly #json: string;
  #listed: ReadonlyMap<number, AddedToken> | undefined;
  #guarded: GuardedTokenizer | undefined;

  /** `json` is the text of tokenizer.json; truncation and padding that it may ask for are left out. */
  constructor(json: string) {
    this.#json = json;
    this.#parsing = create(json);
  }

  /** Token ids of texts; nothing is put around them. */
  async encode(texts: readonly string[]): Promise<number[][]> {
    const encodings = await coded(this.#parsing.encodeBatch([...texts], { addSpecialTokens: false }));
    return encodings.map((encoding) => encoding.getIds());
  }

  /**
   * What the library knows of each input's tokens, those that the post-processor adds included. `specialTokens`:
   * whether strings of special tokens inside the texts become those tokens, or stay text.
   */
  encodings(inputs: readonly TokenizerInput[], specialTokens: 'parse' | 'text'): Promise<Encoding[]> {
    return coded(encodeAll(specialTokens === 'parse' ? this.#parsing : this.#guard().tokenizer, inputs));
  }

  /** The tokens of texts; `addSpecialTokens`: whether with those that the post-processor adds. */
  async tokens(texts: readonly string[], addSpecialTokens: boolean): Promise<Token[][]> {
    const encodings = await coded(this.#parsing.encodeBatch([...texts], { addSpecialTokens }));
    return encodings.map((encoding) => {
      const spellings = encoding.getTokens();
      const special = encoding.getSpecialTokensMask();
      const offsets = encoding.getOffsets() as [number, number][];
      return encoding.getIds().map((id, i) => {
        const [start, end] = offsets[i]!;
        return { id, text: spellings[i]!, special: special[i] === 1, start, end };
      });
    });
  }

  /** The token of an id, in the vocabulary's own spelling. */
  tokenText(id: number): string | undefined {
    return this.#parsing.idToToken(id) ?? undefined;
  }

  /** The special tokens among the ids. */
  addedTokens(ids: readonly number[]): number[] {
    return ids.filter((id) => this.#added.has(id));
  }

  /**
   * Token ids of a prompt whose special tokens stand in the template's pieces alone; such strings in the others stay
   * text. The library finds the template's tokens itself, in the prompt with a placeholder for each piece of content,
   * since only it knows how it matches them (normalized, stripping, as single words).
   */
  async encodePieces(pieces: readonly PromptPiece[]): Promise<number[]> {
    const placeholder = absentCharacter([...this.#added.values()].map(({ content }) => content).join(''), 0x4e00);
    const prompt: string[] = [];
    const skeleton: string[] = [];
    /** Each skeleton character's position in the prompt; -1 for content. */
    const positions: number[] = [];
    for (const { text, isContent } of pieces) {
      const characters = [...text];
      if (isContent) {
        skeleton.push(placeholder);
        positions.push(-1);
      } else {
        characters.forEach((character, i) => {
          skeleton.push(character);
          positions.push(prompt.length + i);
        });
      }
      for (const character of characters) prompt.push(character);
    }
    const encoding = await coded(this.#parsing.encode(skeleton.join(''), null, { addSpecialTokens: false }));
    const offsets = encoding.getOffsets() as [number, number][];
    const { tokenizer, aliases, ids } = this.#guard();
    let text = '';
    let end = 0;
    encoding.getIds().forEach((id, i) => {
      const covered = positions.slice(...offsets[i]!);
      if (!this.#added.has(id) || covered.length === 0 || covered.includes(-1)) return;
      text += prompt.slice(end, covered[0]).join('') + aliases.get(id)!;
      end = covered.at(-1)! + 1;
    });
    text += prompt.slice(end).join('');
    const guarded = await coded(tokenizer.encode(text, null, { addSpecialTokens: false }));
    return guarded.getIds().map((id) => ids.get(id) ?? id);
  }

  /** The special tokens by id. Read when first asked for: a vocabulary's JSON takes a fifth of a second. */
  get #added(): ReadonlyMap<number, AddedToken> {
    this.#listed ??= new Map(
      addedTokens(JSON.parse(this.#json) as JsonObject, this.#parsing).map((token) => [token.id, token]),
    );
    return this.#listed;
  }

  #guard(): GuardedTokenizer {
    this.#guarded ??= createGuarded(this.#json, [...this.#added.values()]);
    return this.#guarded;
  }
}

/** An entry of added_tokens. */
interface AddedToken {
  id: number;
  content: string;
}

/** A tokenizer whose special tokens have other names, which no text can know. */
interface GuardedTokenizer {
  tokenizer: HfTokenizer;
  /** The name by the token's id. */
  aliases: ReadonlyMap<number, string>;
  /** The token's id by the one that it has here, where they differ. */
  ids: ReadonlyMap<number, number>;
}

/**
 * Renames the special tokens in the vocabulary too: a Unigram model finds the string `</s>` there on its own. Kept are
 * the name of the unknown token, which the model refers to, and what the texts of a BPE model are made of: single
 * characters and merges.
 */
function createGuarded(text: string, tokens: readonly AddedToken[]): GuardedTokenizer {
  const json = JSON.parse(text) as JsonObject;
  const nonce = randomUUID();
  const aliases = new Map(tokens.map(({ id }) => [id, `\u{10FFFD}${nonce}:${id}\u{10FFFD}`]));
  const renamed = new Map(tokens.map(({ id, content }) => [content, aliases.get(id)!]));
  const tokenizer = create(
    JSON.stringify({
      ...json,
      added_tokens: tokens.map((token) => ({
        ...token,
        content: aliases.get(token.id),
        lstrip: false,
        rstrip: false,
        single_word: false,
        normalized: false,
      })),
      model: isObject(json['model']) ? renameVocabulary(json['model'], renamed) : json['model'],
    }),
  );
  const ids = new Map(tokens.map(({ id }) => [tokenizer.tokenToId(aliases.get(id)!)!, id]));
  return { tokenizer, aliases, ids };
}

function renameVocabulary(model: JsonObject, renamed: ReadonlyMap<string, string>): JsonObject {
  const { vocab, merges, unk_token: unknown } = model;
  if (Array.isArray(vocab)) {
    return { ...model, vocab: vocab.map(([token, score]: [string, number]) => [renamed.get(token) ?? token, score]) };
  }
  if (!isObject(vocab)) return model;
  const names = new Map(renamed);
  names.delete(unknown as string);
  if (Array.isArray(merges)) {
    for (const token of renamed.keys()) if ([...token].length === 1) names.delete(token);
    for (const merge of merges as (string | string[])[]) {
      const parts = typeof merge === 'string' ? merge.split(' ') : merge;
      for (const part of [...parts, parts.join('')]) names.delete(part);
    }
  }
  return {
    ...model,
    vocab: Object.fromEntries(Object.entries(vocab).map(([token, id]) => [names.get(token) ?? token, id])),
  };
}

/** The library goes by a token's content: where the vocabulary knows it, it has that id, whatever id is listed. */
function addedTokens(json: JsonObject, tokenizer: HfTokenizer): AddedToken[] {
  const listed = Array.isArray(json['added_tokens']) ? json['added_tokens'].filter(isObject) : [];
  return listed.map((token) => {
    const content = token['content'] as string;
    return { ...token, content, id: tokenizer.tokenToId(content)! };
  });
}

/** With what the post-processor adds. The library's encodeBatch() takes no pairs. */
function encodeAll(tokenizer: HfTokenizer, inputs: readonly TokenizerInput[]): Promise<Encoding[]> {
  const options = { addSpecialTokens: true };
  const isText = (input: TokenizerInput): input is string => typeof input === 'string';
  if (inputs.every(isText)) return tokenizer.encodeBatch([...inputs], options);
  return Promise.all(
    inputs.map((input) =>
      isText(input) ? tokenizer.encode(input, null, options) : tokenizer.encode(...input, options),
    ),
  );
}

/** The library fails late where, say, the vocabulary lacks the token for what is unknown. */
async function coded<T>(encoding: Promise<T>): Promise<T> {
  try {
    return await encoding;
  } catch (cause) {
    throw new ZrankError('TOKENIZER_INVALID', `tokenizer.json cannot be applied: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function create(json: string): HfTokenizer {
  try {
    if (mayPanic.test(json)) checkPanics(JSON.parse(json) as JsonObject);
    const tokenizer = HfTokenizer.fromString(json);
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    return tokenizer;
  } catch (cause) {
    throw new ZrankError('TOKENIZER_INVALID', `tokenizer.json cannot be loaded: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** What may make the library panic, which ends the process. Most tokenizers have neither and need not be parsed here. */
const mayPanic = /"TemplateProcessing"|"continuing_subword_prefix":\s*"[^"]/;

/** Throws where tokenizers 0.23 would panic; what has the wrong type it refuses itself. */
function checkPanics({ post_processor: processor, model }: JsonObject): void {
  checkTemplates(processor);
  const { type, merges, continuing_subword_prefix: prefix } = isObject(model) ? model : {};
  if (type !== 'BPE' || typeof prefix !== 'string' || !Array.isArray(merges)) return;
  for (const merge of merges as (string | string[])[]) {
    const [, right] = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!right?.startsWith(prefix)) throw new Error(`a merge lacks the prefix ${prefix.slice(0, 60)}`);
  }
}

function checkTemplates(processor: unknown): void {
  if (!isObject(processor)) return;
  const { type, processors, single, pair, special_tokens: defined } = processor;
  if (type === 'Sequence' && Array.isArray(processors)) processors.forEach(checkTemplates);
  if (type !== 'TemplateProcessing' || !isObject(defined)) return;
  for (const piece of [single, pair].flat()) {
    const special = isObject(piece) ? piece['SpecialToken'] : undefined;
    const id = isObject(special) ? special['id'] : undefined;
    if (typeof id === 'string' && !Object.hasOwn(defined, id))
      throw new Error(`the post-processor defines no special token ${id.slice(0, 60)}`);
  }
}
