import { ZrankError } from '../error.js';

/** Whose rules an evaluation follows, by the program that has them; see docs/evaluation.md. */
export const conventions = ['trec', 'trec9', 'sklearn', 'ranx'] as const;

export type Convention = (typeof conventions)[number];

/** How one convention differs from another. */
export interface ConventionRules {
  /** The precision in which scores are compared. */
  scores: 'float64' | 'float32';
  /** Documents of equal score: the greater id first (in UTF-8 bytes), or the run's own order. */
  ties: 'greater-id' | 'run-order';
  /** NDCG gives each document of a tie the tie's mean gain. */
  averagesTies: boolean;
  /** The documents of NDCG's ideal ranking. */
  ideal: 'judged' | 'retrieved';
  /** Whether a judged query that the run lacks counts as 0, unless the caller says. */
  complete: boolean;
}

export const conventionRules: Readonly<Record<Convention, ConventionRules>> = {
  trec: { scores: 'float64', ties: 'greater-id', averagesTies: false, ideal: 'judged', complete: true },
  trec9: { scores: 'float32', ties: 'greater-id', averagesTies: false, ideal: 'judged', complete: false },
  sklearn: { scores: 'float64', ties: 'greater-id', averagesTies: true, ideal: 'retrieved', complete: false },
  ranx: { scores: 'float64', ties: 'run-order', averagesTies: false, ideal: 'judged', complete: false },
};

/** @throws ZrankError INVALID_ARGUMENT */
export function checkConvention(value: unknown): Convention {
  const convention = conventions.find((known) => known === value);
  if (convention === undefined) throw ZrankError.argument('convention', conventions.join(', '), value);
  return convention;
}
