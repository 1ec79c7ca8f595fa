import { stat } from 'node:fs/promises';
import { readConfig } from '../../checkpoint/folder.js';
import type { Description } from '../cross-encoder.js';
import { readSentenceTransformer } from './sentence-transformer.js';

/** What a bi-encoder's folder holds. Throws what readSentenceTransformer() does. */
export async function describeSentenceTransformer(folder: string): Promise<Description> {
  const { network, dense, normalize, truncateDim, similarity, prompts, unknownKeys } =
    await readSentenceTransformer(folder);
  const isStatic = network.kind === 'static';
  const weightFile = isStatic ? network.embeddings.path : network.encoder.onnxPath;
  const steps = [
    isStatic ? "the mean of the tokens' rows" : `${network.pooling.join(' and ')} pooling`,
    ...dense.map(() => 'a dense layer'),
    ...(truncateDim < Number.MAX_SAFE_INTEGER ? [`cut to ${truncateDim}`] : []),
    ...(normalize ? ['unit length'] : []),
  ];
  return {
    folder,
    architecture: isStatic ? 'StaticEmbedding' : (await readConfig(folder)).architectures().join(', '),
    weightBytes: isStatic ? network.embeddings.length : (await stat(weightFile)).size,
    weightFiles: [weightFile],
    ...(!isStatic && { maxLength: network.encoder.maxLength }),
    prompts: { ...prompts },
    embedding: steps.join(', '),
    similarity: similarity ?? 'cosine',
    ...(unknownKeys.length > 0 && { unknownKeys }),
  };
}
