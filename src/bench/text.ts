import { ZrankError } from '../error.js';
import { seededRandom } from '../random.js';
import type { Tokenizer } from '../tokenization/tokenizer.js';

/** Distinct words that a source draws from, and the least that it makes do with. */
const wantedWords = 4096;
const leastWords = 64;
const candidatesAtOnce = 1024;

/**
 * Random texts of an exact number of tokens: words of the tokenizer's own vocabulary that are one token wherever they
 * stand.
 */
export class TextSource {
  readonly #tokenizer: Tokenizer;
  readonly #words: readonly string[];
  readonly #random: () => number;

  private constructor(tokenizer: Tokenizer, words: readonly string[], random: () => number) {
    this.#tokenizer = tokenizer;
    this.#words = words;
    this.#random = random;
  }

  /** `json` is the text of the tokenizer.json that `tokenizer` was made from. The same seed gives the same texts. */
  static async create(tokenizer: Tokenizer, json: string, seed: number): Promise<TextSource> {
    const random = seededRandom(seed);
    const candidates = shuffle(vocabularyWords(json), random);
    const words: string[] = [];
    for (let i = 0; i < candidates.length && words.length < wantedWords; i += candidatesAtOnce) {
      const some = candidates.slice(i, i + candidatesAtOnce);
      const encoded = await tokenizer.encode(some.map((word) => `${word} ${word}`));
      words.push(...some.filter((_, k) => encoded[k]!.length === 2));
    }
    if (words.length < leastWords) {
      throw new ZrankError(
        'TOKENIZER_INVALID',
        `the tokenizer has ${words.length} words of one token, random texts take ${leastWords}`,
      );
    }
    return new TextSource(tokenizer, words.slice(0, wantedWords), random);
  }

  /** Texts of these lengths in tokens. */
  async texts(lengths: readonly number[]): Promise<string[]> {
    const texts = lengths.map((length) =>
      Array.from({ length }, () => this.#words[Math.floor(this.#random() * this.#words.length)]!).join(' '),
    );
    const encoded = await this.#tokenizer.encode(texts);
    encoded.forEach((ids, i) => {
      if (ids.length !== lengths[i])
        throw new ZrankError('INTERNAL', `a text made for ${lengths[i]} tokens has ${ids.length}`);
    });
    return texts;
  }
}

/**
 * The plain lower-case words of a vocabulary; byte-level and SentencePiece tokenizers mark those that follow a space.
 */
function vocabularyWords(json: string): string[] {
  const { model } = JSON.parse(json) as { model?: { vocab?: Record<string, number> | [string, number][] } };
  const vocabulary = model?.vocab ?? {};
  const tokens = Array.isArray(vocabulary) ? vocabulary.map(([token]) => token) : Object.keys(vocabulary);
  const words = tokens.map((token) => /^[Ġ▁]?([a-z]{2,12})$/.exec(token)?.[1]).filter((word) => word !== undefined);
  return [...new Set(words)].sort();
}

function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
