/**
 * The words of a text, as they are indexed and searched: in NFKC, without case, and without what is invisible or only
 * helps to read (soft hyphens, joiners, the vowel points of Arabic and Hebrew).
 *
 * - A compound stands whole and in its parts of two or more characters: `max_seq_length`, `maxSeqLength`, `Node.js`,
 *   `1.2.3`, `ann@example.com`, `can't`. So the exact name ranks first, and a part of it finds it still.
 * - `C++`, `C#` and `.NET` are words; so are a letter or digit that stands alone, and a pictograph.
 * - What is written without spaces, and Korean, whose particles follow without one, stands in pairs of neighbouring
 *   characters, as in Lucene's CJKBigramFilter: what a query holds is found, wherever a dictionary would cut the text.
 *   With them stand the single characters of Chinese, Japanese and Korean, and the words that the dictionaries of ICU
 *   find in Thai, Lao, Khmer and Burmese (Unicode Standard Annex 29).
 */
export function words(text: string): string[] {
  const found: string[] = [];
  const isAscii = ascii.test(text);
  const pieces = (isAscii ? text : composed(text)).match(isAscii ? asciiPieces : anyPieces) ?? [];
  for (const piece of pieces) {
    if (plain.test(piece)) found.push(piece);
    else if (isAscii || !isPaired.test(piece)) addCompound(piece, found);
    else addRun(piece, found);
  }
  return found;
}

const ascii = /^[\0-\x7f]*$/;
/** A compound that is its only word. */
const plain = /^[a-z0-9]+$/;

const eastAsian = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー\p{sc=Bopomofo}\p{sc=Hangul}`;
const southEastAsian = String.raw`\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}`;
const isPaired = new RegExp(`^[${eastAsian}${southEastAsian}]`, 'v');
const hasDictionary = new RegExp(`^[${southEastAsian}]`, 'v');
const dictionary = new Intl.Segmenter('en', { granularity: 'word' });

/** A compound of words of `letters`, which `marks` may follow. */
function compoundOf(letters: string, marks = letters): string {
  const word = `${letters}${marks}*`;
  return String.raw`(?:\.(?=[^0-9]))?${word}(?:[._@']${word})*(?:\+\+|#)?`;
}
const asciiPieces = new RegExp(compoundOf('[A-Za-z0-9]'), 'g');
const spaced = (classes: string): string => `[[${classes}]--[${eastAsian}${southEastAsian}]]`;
const runOf = (scripts: string): string => String.raw`[[${scripts}]&&[\p{L}\p{N}\p{M}]]+`;
const anyPieces = new RegExp(
  [
    runOf(eastAsian),
    runOf(southEastAsian),
    compoundOf(spaced(String.raw`\p{L}\p{N}`), spaced(String.raw`\p{L}\p{N}\p{M}`)),
    String.raw`\p{Extended_Pictographic}`,
  ].join('|'),
  'gv',
);

/** Where a compound parts: at its signs, and where capitals begin or end (`HTTPServer` between `HTTP` and `Server`). */
const partEnds = /[._@'+#]+|(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}{2})/u;

function addCompound(compound: string, found: string[]): void {
  found.push(folded(compound));
  const parts = compound.split(partEnds);
  if (parts.length > 1) for (const part of parts) if (part.length > 1) found.push(folded(part));
}

function addRun(run: string, found: string[]): void {
  const characters = run.match(/\P{M}\p{M}*/gu) ?? [];
  for (let i = 1; i < characters.length; i++) found.push(characters[i - 1]! + characters[i]!);
  if (!hasDictionary.test(run)) found.push(...characters);
  else for (const { segment, isWordLike } of dictionary.segment(run)) if (isWordLike) found.push(segment);
}

function composed(text: string): string {
  return (
    text
      .replace(/(?!\u200b)[\p{Default_Ignorable_Code_Point}\u0640]/gu, '')
      .normalize('NFKC')
      .replace(/(?<=[\p{scx=Arabic}\p{scx=Hebrew}])\p{Mn}+/gu, '')
      // NFKC takes the vowel am of Thai and Lao apart, which ICU's dictionaries hold in one piece.
      .replace(/\u0e4d\u0e32/g, '\u0e33')
      .replace(/\u0ecd\u0eb2/g, '\u0eb3')
      .replaceAll('’', "'")
  );
}

/** Unicode's case folding, nearly: JavaScript has none. The dot is what is left of the Turkish İ. */
function folded(word: string): string {
  return word.toUpperCase().toLowerCase().replaceAll('ς', 'σ').replaceAll('i\u0307', 'i');
}
