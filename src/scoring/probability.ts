/**
 * A raw logit as a score between 0 and 1: sigmoid(logit / temperature). ZeroEntropy publishes its scores with a
 * temperature of 5.
 */
export function toProbability(logit: number, temperature = 5): number {
  return 1 / (1 + Math.exp(-logit / temperature));
}
