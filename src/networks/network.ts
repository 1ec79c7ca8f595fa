import { join } from 'node:path';
import { ConfigReader } from '../checkpoint/config-reader.js';
import { checkFolder, readConfig } from '../checkpoint/folder.js';
import type { CrossEncoder } from './cross-encoder.js';
import { decoderArchitectures } from './decoder/architectures.js';
import { readDecoder } from './decoder/reranker.js';
import { readOnnxEncoder } from './encoder/reranker.js';

/** Kinds of networks: the first that knows an architecture of config.json reads the folder. */
const networks: readonly { knows(architecture: string): boolean; read(folder: string): Promise<CrossEncoder> }[] = [
  { knows: (architecture) => decoderArchitectures.has(architecture), read: readDecoder },
  { knows: (architecture) => /^(?!.*Causal).*ForSequenceClassification$/.test(architecture), read: readOnnxEncoder },
];

/**
 * Reads a model folder. Throws FILE_NOT_FOUND where there is none, ARCHITECTURE_UNSUPPORTED for a network that is not
 * known, and the codes of what is wrong in the folder.
 */
export async function readCrossEncoder(folder: string): Promise<CrossEncoder> {
  await checkFolder(folder);
  const config = new ConfigReader(await readConfig(folder), join(folder, 'config.json'));
  const architectures = config.architectures();
  const network = networks.find(({ knows }) => architectures.some(knows));
  if (network !== undefined) return network.read(folder);
  const known = [...decoderArchitectures.keys()].join(', ');
  const received = JSON.stringify(config.get('architectures') ?? null);
  throw config.unsupported(
    `expected one of the architectures ${known}, or an encoder's ForSequenceClassification with an ONNX file, ` +
      `but received ${received}`,
  );
}
