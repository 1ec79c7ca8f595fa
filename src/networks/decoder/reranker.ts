import { PromptTemplate } from '../../prompt/prompt-template.js';
import { packedWork } from '../../runtime/work.js';
import type { Pair, PairEncoder } from '../../tokenization/pair-encoder.js';
import { PromptEncoder } from '../../tokenization/prompt-encoder.js';
import { SequenceEncoder } from '../../tokenization/sequence-encoder.js';
import { Tokenizer } from '../../tokenization/tokenizer.js';
import type { CrossEncoder } from '../cross-encoder.js';
import { checkVocabulary } from '../vocabulary.js';
import { readCheckpoint, type Checkpoint } from './checkpoint.js';
import { describeDecoder } from './description.js';
import { defaultTemperature } from './scoring-head.js';

/** The first document answers the query, the second does not. */
const samplePairs: readonly Pair[] = [
  [
    'how do I keep bread fresh',
    'Keep bread fresh for days in a paper bag or a bread box, and freeze what is left over.',
  ],
  ['how do I keep bread fresh', 'The parliament debated a new tax on sugar until late in the night.'],
];

/**
 * A decoder as a reranker: its prompts run packed, those of one query share the query. Throws what readCheckpoint()
 * does.
 */
export async function readDecoder(folder: string): Promise<CrossEncoder> {
  const checkpoint = await readCheckpoint(folder);
  const { config, head, weights, maxLength } = checkpoint;
  const tokenizer = new Tokenizer(checkpoint.tokenizer);
  const encoder = pairEncoder(checkpoint, tokenizer);
  const padTokenId = config.isClassifier ? config.padTokenId : undefined;
  return {
    network: {
      kind: 'decoder',
      config,
      head,
      weights,
      async samplePrompts() {
        const options = { maxLength, truncation: 'document', specialTokens: 'text' } as const;
        return (await encoder.encode(samplePairs, options)).map(({ ids }) => ids);
      },
    },
    encoder,
    work(pairs, prompts, limits, prefixes) {
      checkVocabulary(prompts, config.vocabularySize, tokenizer);
      const groups = pairs.map((pair) => prefixes.number(typeof pair === 'string' ? undefined : pair[0]));
      const sequences = prompts.map(({ ids }) => ({ ids: withoutPadding(ids, padTokenId) }));
      return packedWork(sequences, groups, limits);
    },
    maxLength,
    maxPositions: config.maxPositions,
    temperature: defaultTemperature(head),
    describe: () => describeDecoder(checkpoint, encoder, tokenizer),
  };
}

/** How a checkpoint's pairs become token ids: through its chat template, or as two texts. */
export function pairEncoder(checkpoint: Checkpoint, tokenizer = new Tokenizer(checkpoint.tokenizer)): PairEncoder {
  const template = PromptTemplate.load(checkpoint.template);
  if (template === undefined) return new SequenceEncoder(tokenizer, checkpoint.template.defaultPrompt);
  return new PromptEncoder(tokenizer, template);
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
