import { mean, standardDeviation } from 'simple-statistics';

/**
 * Logits against PyTorch's in fp32: deviations in absolute terms, and the spread of the logits to hold them against.
 */
export function measureParity({ ids }, scores, reference) {
  const lengths = ids.map(({ length }) => length);
  const summary = { pairs: ids.length, tokens: { least: Math.min(...lengths), most: Math.max(...lengths) } };
  if (reference === null) return { ...summary, spread: null, deviations: [] };
  const contenders = [
    ...Object.entries(scores).map(([precision, { logits, placement }]) => [
      `zrank ${precision}`,
      logits,
      placement.precision,
    ]),
    ...Object.entries(reference.sentenceTransformers).map(([precision, logits]) => [
      `sentence-transformers ${precision}`,
      logits,
      precision,
    ]),
  ];
  const deviations = contenders.map(([name, logits, precision]) => {
    const differences = logits.map((logit, i) => (logit === null ? Infinity : Math.abs(logit - reference.fp32[i])));
    const notFinite = differences.filter((difference) => difference === Infinity).length;
    const finite = differences.filter(Number.isFinite);
    return { name, precision, largest: Math.max(...finite), mean: mean(finite), notFinite };
  });
  return { ...summary, spread: standardDeviation(reference.fp32), deviations };
}
