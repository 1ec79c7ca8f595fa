import { checkFolder, readConfig } from '../checkpoint/folder.js';
import { readModules } from '../checkpoint/modules.js';
import type { CrossEncoder, Description, Network } from './cross-encoder.js';
import { decoderArchitectures } from './decoder/architectures.js';
import { readDecoder } from './decoder/reranker.js';
import { describeSentenceTransformer } from './encoder/description.js';
import { readOnnxEncoder } from './encoder/reranker.js';

/** Decoders whose graph nobody writes here: an ONNX file of one would be fed as if it were an encoder. */
const otherDecoders = new RegExp(
  `^(${[
    'Bloom|Cohere|Deepseek|Ernie4|Exaone|Falcon|Gemma|Glm|GPT|Granite|InternLM|Llama|MiniCPM|Ministral|Mistral|Mixtral',
    'Nemotron|Olmo|OPT|Phi|Qwen|SmolLM|StableLm|Starcoder',
  ].join('|')})`,
);

/** Kinds of networks: the first that knows an architecture of config.json reads the folder. */
const networks: readonly { knows(architecture: string): boolean; read(folder: string): Promise<CrossEncoder> }[] = [
  { knows: (architecture) => decoderArchitectures.has(architecture), read: readDecoder },
  {
    knows: (name) => name.endsWith('ForSequenceClassification') && !otherDecoders.test(name),
    read: readOnnxEncoder,
  },
];

/**
 * Reads a model folder. Throws FILE_NOT_FOUND where there is none, ARCHITECTURE_UNSUPPORTED for a network that is not
 * known, and the codes of what is wrong in the folder.
 */
export async function readCrossEncoder(folder: string): Promise<CrossEncoder> {
  await checkFolder(folder);
  const config = await readConfig(folder);
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

/** What a folder holds, a reranker or a bi-encoder; with the network of a reranker. Throws what reading it does. */
export async function inspectFolder(folder: string): Promise<{ description: Description; network?: Network }> {
  await checkFolder(folder);
  const modules = (await readModules(folder)) ?? [];
  const isBiEncoder = modules.some(({ type }) => type === 'Pooling' || type === 'StaticEmbedding');
  if (isBiEncoder) return { description: await describeSentenceTransformer(folder) };
  const { network, describe } = await readCrossEncoder(folder);
  return { description: await describe(), network };
}
