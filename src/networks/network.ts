import { readCheckpoint, type Checkpoint } from './decoder/checkpoint.js';
import { readEncoderClassifier } from './encoder/folder.js';
import { checkFolder, readConfig } from '../checkpoint/folder.js';
import { ZrankError } from '../error.js';
import { defaultBatchTokens, place, type Placed, type PlacementOptions } from '../devices/placement.js';
import { PromptTemplate } from '../prompt/prompt-template.js';
import type { NativeWork } from '../addon.js';
import { packedWork, paddedWork, type WorkLimits } from '../runtime/work.js';
import { defaultTemperature } from '../scoring/probability.js';
import type { EncodedPrompt, Pair, PairEncoder } from '../tokenization/pair-encoder.js';
import { PromptEncoder } from '../tokenization/prompt-encoder.js';
import { SequenceEncoder } from '../tokenization/sequence-encoder.js';
import { Tokenizer } from '../tokenization/tokenizer.js';

/** A model folder made ready to score pairs: what differs between one kind of network and another. */
export interface CrossEncoder extends Placed {
  encoder: PairEncoder;
  /** The pairs' prompts as the engine takes them. */
  work(pairs: readonly Pair[], prompts: readonly EncodedPrompt[], limits: WorkLimits): NativeWork;
  /** The longest prompt in tokens, unless the caller says otherwise. */
  maxLength: number;
  /** The longest prompt that the network has positions for. */
  maxPositions: number;
  /** score = sigmoid(logit / temperature). */
  temperature: number;
}

/** Where a model is asked to run; `maxLength` where the caller sets one. */
export type CrossEncoderOptions = Omit<PlacementOptions, 'maxLength' | 'samplePrompts'> & {
  maxLength?: number | undefined;
};

/** Reads a model folder. Throws FILE_NOT_FOUND where there is none, and the codes of what is wrong in it. */
export async function readCrossEncoder(folder: string, options: CrossEncoderOptions): Promise<CrossEncoder> {
  await checkFolder(folder);
  const { architectures } = await readConfig(folder);
  const names: unknown[] = Array.isArray(architectures) ? architectures : [];
  const isEncoder = names.some(
    (name) => typeof name === 'string' && /^(?!Qwen3).*ForSequenceClassification$/.test(name),
  );
  return isEncoder ? readBert(folder, options) : readQwen3(folder, options);
}

/** Of which the document answers the query, and does not. */
const samplePairs: Pair[] = [
  [
    'how do I keep bread fresh',
    'Keep bread fresh for days in a paper bag or a bread box, and freeze what you will not eat.',
  ],
  ['how do I keep bread fresh', 'The parliament debated a new tax on sugar until late in the night.'],
];

/** A Qwen3 reranker: its prompts run packed, those of one query share the query. */
async function readQwen3(folder: string, options: CrossEncoderOptions): Promise<CrossEncoder> {
  const checkpoint = await readCheckpoint(folder);
  const { config, head } = checkpoint;
  const encoder = pairEncoder(checkpoint);
  const samplePrompts = async () =>
    (
      await encoder.encode(samplePairs, {
        maxLength: checkpoint.maxLength,
        truncation: 'document',
        specialTokens: 'text',
      })
    ).map(({ ids }) => ids);
  const placed = await place(checkpoint, {
    ...options,
    maxLength: options.maxLength ?? checkpoint.maxLength,
    samplePrompts,
  });
  const padTokenId = head.kind === 'classifier' ? config.padTokenId : undefined;
  return {
    ...placed,
    encoder,
    work(pairs, prompts, limits) {
      const queries = pairs.map((pair, i) => (typeof pair === 'string' ? `prompt ${i}` : `query ${pair[0]}`));
      return packedWork(
        prompts.map(({ ids }) => ({ ids: withoutPadding(ids, padTokenId) })),
        queries,
        limits,
      );
    },
    maxLength: checkpoint.maxLength,
    maxPositions: config.maxPositions,
    temperature: defaultTemperature(head),
  };
}

/** How a checkpoint's pairs become token ids: through its chat template, or as two texts. */
export function pairEncoder(checkpoint: Checkpoint, tokenizer = new Tokenizer(checkpoint.tokenizer)): PairEncoder {
  const template = PromptTemplate.load(checkpoint.template);
  return template === undefined
    ? new SequenceEncoder(tokenizer, checkpoint.template.defaultPrompt)
    : new PromptEncoder(tokenizer, template);
}

/**
 * The part of a prompt that decides its score: a classifier is read at the last token that is not padding
 * (transformers' modeling_layers.py, GenericForSequenceClassification).
 */
function withoutPadding(ids: readonly number[], padTokenId: number | undefined): readonly number[] {
  let end = ids.length;
  while (end > 1 && ids[end - 1] === padTokenId) end--;
  return ids.slice(0, end);
}

/** A BERT-like cross-encoder, run from its ONNX file; its one logit is that of a sigmoid. */
async function readBert(
  folder: string,
  { device, precision, attention = 'auto' }: CrossEncoderOptions,
): Promise<CrossEncoder> {
  if (device !== 'auto' && device !== 'cpu')
    throw new ZrankError('DEVICE_UNAVAILABLE', 'ONNX encoders run on the CPU only');
  if (precision !== 'auto' && precision !== 'fp32')
    throw new ZrankError('INVALID_ARGUMENT', `an ONNX encoder runs in the precision of its file, not in ${precision}`);
  if (attention !== 'auto')
    throw new ZrankError('INVALID_ARGUMENT', `an ONNX encoder has the attention of its file, not '${attention}'`);
  const { onnxPath, tokenizer, padId, maxLength, maxPositions, prompt } = await readEncoderClassifier(folder);
  return {
    encoder: new SequenceEncoder(new Tokenizer(tokenizer), prompt),
    model: {
      replicas: [{ kind: 'padded-encoder', graphPath: onnxPath, pooling: [], normalize: false, padId }],
      files: [onnxPath],
    },
    work: (_, prompts, limits) => paddedWork(prompts, limits),
    maxLength,
    maxPositions,
    placement: { device: 'cpu', precision: 'fp32', attention: 'grouped', passedOver: [] },
    batchTokens: () => defaultBatchTokens,
    temperature: 1,
  };
}
