import { readDecoderConfig } from '../networks/decoder/architectures.js';
import type { DecoderConfig } from '../networks/decoder/config.js';
import { readConfig } from '../checkpoint/folder.js';
import { ZrankError } from '../error.js';

export interface Work {
  /** Tokens that passed through the network. */
  computedTokens: number;
  /** Tokens of each sequence. */
  sequenceTokens: readonly number[];
}

/**
 * Floating point operations (a multiplication and an addition are two) that the scores need: projections and MLP of
 * every computed token, causal attention of every sequence, and in the last layer, behind the attention's keys and
 * values, the last token of each sequence alone.
 */
export function modelFlops(config: DecoderConfig, { computedTokens, sequenceTokens }: Work): number {
  const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headDim } = config;
  const queryKeyValue = 2 * hiddenSize * headDim * (heads + 2 * keyValueHeads);
  const outputAndMlp = 2 * hiddenSize * (heads * headDim + 3 * intermediateSize);
  const sequences = sequenceTokens.length;
  const attended = sequenceTokens.reduce((sum, length) => sum + (length * (length + 1)) / 2, 0);
  const lastAttended = sequenceTokens.reduce((sum, length) => sum + length, 0);
  const attention = 4 * heads * headDim * ((layers - 1) * attended + lastAttended);
  return (
    computedTokens * (layers * queryKeyValue + (layers - 1) * outputAndMlp) +
    sequences * (outputAndMlp + 2 * hiddenSize) +
    attention
  );
}

/** The network of a model folder, or null where it is none whose operations are counted here. */
export async function readNetwork(folder: string): Promise<DecoderConfig | null> {
  try {
    return readDecoderConfig(await readConfig(folder));
  } catch (error) {
    if (error instanceof ZrankError && error.code === 'ARCHITECTURE_UNSUPPORTED') return null;
    throw error;
  }
}
