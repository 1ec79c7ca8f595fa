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
  /** What is added to a share of the relevant documents before it is cut to whole ones. */
  recallRounding: 0.5 | 0.9;
  /** Whether a judged query that the run lacks counts as 0, unless the caller says. */
  complete: boolean;
}

const trec: ConventionRules = {
  scores: 'float64',
  ties: 'greater-id',
  averagesTies: false,
  ideal: 'judged',
  recallRounding: 0.5,
  complete: true,
};

export const conventionRules: Readonly<Record<Convention, ConventionRules>> = {
  trec,
  trec9: { ...trec, scores: 'float32', recallRounding: 0.9, complete: false },
  sklearn: { ...trec, averagesTies: true, ideal: 'retrieved', complete: false },
  ranx: { ...trec, ties: 'run-order', complete: false },
};
