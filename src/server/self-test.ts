import { type Precision, type Reranker, ZrankError } from '../index.js';

const query = 'How do I keep bread fresh?';
/** Of lengths that differ, so that a batch of them is cut and shared otherwise than each alone. */
const documents = [
  'Keep bread in a paper bag or a bread box at room temperature; a refrigerator makes it stale sooner.',
  'Bread.',
  'The parliament debated the new tax on sugar until late at night, and postponed the vote to the spring.',
  `To freeze a loaf, cut it first. ${'Toast the slices from frozen, a few minutes each. '.repeat(6)}`,
  'def area(radius): return 3.14159 * radius ** 2',
];

/** By how much a logit may differ in a batch, and the part of its size. */
const tolerances: Readonly<Record<Precision, { absolute: number; relative: number }>> = {
  fp32: { absolute: 1e-3, relative: 1e-4 },
  fp16: { absolute: 0.1, relative: 0.02 },
  bf16: { absolute: 0.3, relative: 0.02 },
  int8: { absolute: 0.3, relative: 0.02 },
};

/**
 * Scores known pairs alone and together. Throws SELF_TEST_FAILED unless the scores are finite and the same, and what a
 * call throws.
 */
export async function selfTest(name: string, reranker: Reranker): Promise<void> {
  // A score of before would tell nothing of the engine.
  const options = { cache: false };
  const together = await reranker.rank(query, documents, options);
  const { absolute, relative } = tolerances[reranker.precision];
  for (const { index, logit } of together) {
    const [alone] = await reranker.rank(query, [documents[index]!], options);
    const difference = Math.abs(alone!.logit - logit);
    if (difference <= absolute + relative * Math.abs(logit)) continue;
    throw new ZrankError(
      'SELF_TEST_FAILED',
      `the model ${name} gives a known pair the logit ${alone!.logit} alone and ${logit} among others, in ${reranker.precision}`,
    );
  }
}
