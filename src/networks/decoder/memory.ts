import type { DecoderConfig } from './config.js';
import type { GraphForm } from '../../graph/operators.js';

/**
 * Bytes that a run needs at its peak for a token of its batch, beside the weights: what is alive at once of residual
 * and norm with either attention's tensors or the MLP's, by the shapes of graph.ts. Attention is laid out over
 * `padding` positions a token.
 */
export function activationBytes(config: DecoderConfig, { compute, attention }: GraphForm, padding: number): number {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim } = config;
  const width = compute === 'fp32' ? 4 : 2;
  const attentionWidth = attention === 'plain' ? 4 : width;
  const queryKeyValue = (heads + 2 * keyValueHeads) * headDim;
  // Laid out: queries, keys and values, the keys and values that the operator gives back, what is attended.
  const laidOut = queryKeyValue + 2 * keyValueHeads * headDim + 2 * heads * headDim;
  // Our own kernels lay nothing out, but for rotated keys.
  const around = attention === 'tiled' ? (heads + keyValueHeads) * headDim : padding * laidOut;
  const attended = width * 2 * hiddenSize + attentionWidth * (queryKeyValue + around);
  const gated = width * (3 * hiddenSize + 4 * intermediateSize);
  const bytes = Math.max(attended, gated);
  // Plain operators hold every head's scores three times in fp32; of this many keys a query.
  return attention === 'plain' ? bytes + padding * heads * plainKeys * 12 : bytes;
}

/** Longer sequences than this come under the budget by halving. */
const plainKeys = 512;
