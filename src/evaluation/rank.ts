import { ZrankError } from '../error.js';
import { type Convention, conventionRules } from './conventions.js';

export interface RankedDocument {
  document: string;
  /** In the precision of the convention. */
  score: number;
}

/**
 * The documents of one query, best first. trec_eval sorts by score and breaks ties by document id in descending order
 * (form_res_rels.c, comp_sim_docno); version 9 held scores as float32, which makes more ties.
 *
 * @throws ZrankError DATA_INVALID for a score that is NaN
 */
export function rankDocuments(
  query: string,
  scores: ReadonlyMap<string, number>,
  convention: Convention,
): RankedDocument[] {
  const rules = conventionRules[convention];
  const ranked: RankedDocument[] = [];
  for (const [document, score] of scores) {
    if (typeof score !== 'number' || Number.isNaN(score)) {
      throw new ZrankError('DATA_INVALID', `the score of document ${document} for query ${query} is ${score}`, {
        expected: 'a number',
        received: String(score),
      });
    }
    ranked.push({ document, score: rules.scores === 'float32' ? Math.fround(score) : score });
  }
  const breakTie = rules.ties === 'greater-id' ? compareUtf8 : () => 0;
  return ranked.sort((a, b) => (a.score > b.score ? -1 : a.score < b.score ? 1 : breakTie(b.document, a.document)));
}

/**
 * Compares as strcmp compares the UTF-8 bytes, which is the order of code points. UTF-16 units give the same order but
 * for surrogates: they stand for code points above every other unit.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
