import { createRequire } from 'node:module';

/** Languages of the Snowball stemmers (Porter, 2001). */
export const stemmers = [
  'arabic',
  'armenian',
  'basque',
  'catalan',
  'czech',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'hungarian',
  'irish',
  'italian',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'slovene',
  'spanish',
  'swedish',
  'tamil',
  'turkish',
] as const;

export type Stemmer = (typeof stemmers)[number];

/** Stems that are remembered, since most words of a text have been seen before. */
const cachedStems = 2 ** 16;

/** What reduces words to their stems. */
export function stemmerOf(language: Stemmer): (word: string) => string {
  // Loaded when it is used: its file has all languages.
  const { newStemmer } = createRequire(import.meta.url)('snowball-stemmers') as typeof import('snowball-stemmers');
  const stemmer = newStemmer(language);
  const stems = new Map<string, string>();
  return (word) => {
    let stem = stems.get(word);
    if (stem === undefined) {
      if (stems.size === cachedStems) stems.clear();
      stems.set(word, (stem = stemmer.stem(word)));
    }
    return stem;
  };
}
