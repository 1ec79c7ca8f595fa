import { elementCount } from '../../checkpoint/tensor.js';
import { PromptTemplate } from '../../prompt/prompt-template.js';
import type { PairEncoder } from '../../tokenization/pair-encoder.js';
import type { Tokenizer } from '../../tokenization/tokenizer.js';
import type { Description } from '../cross-encoder.js';
import type { Checkpoint } from './checkpoint.js';
import { defaultTemperature, type ScoringHead } from './scoring-head.js';

/** What a decoder's folder holds, in words and figures. */
export async function describeDecoder(
  checkpoint: Checkpoint,
  encoder: PairEncoder,
  tokenizer: Tokenizer,
): Promise<Description> {
  const { config, head, weights, maxLength, unknownKeys } = checkpoint;
  const template = PromptTemplate.load(checkpoint.template);
  const pair = ['{query}', '{document}'] as const;
  const options = { maxLength, truncation: 'document', specialTokens: 'parse' } as const;
  const [encoded] = await encoder.encode(template?.failure ? [] : [pair], options);
  const tensors = [...weights.values()];
  return {
    folder: checkpoint.folder,
    architecture: config.architecture,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    heads: `${config.heads} query, ${config.keyValueHeads} key/value, of ${config.headDim}`,
    vocabulary: config.vocabularySize,
    parameters: tensors.reduce((sum, tensor) => sum + elementCount(tensor), 0),
    dtype: [...new Set(tensors.map(({ dtype }) => dtype))].sort().join(', '),
    weightBytes: tensors.reduce((sum, { length }) => sum + length, 0),
    weightFiles: [...new Set(tensors.map(({ path }) => path))],
    maxLength,
    prompt:
      template?.failure?.message ?? template?.render(...pair) ?? 'query and document, tokenized one after the other',
    promptTokens: encoded?.ids.length ?? 0,
    instruction: template === undefined ? 'none' : template.hasSystemMessage ? 'a system message' : 'inside the query',
    score: describeHead(head, tokenizer),
    temperature: defaultTemperature(head),
    ...(unknownKeys.length > 0 && { unknownKeys }),
  };
}

function describeHead(head: ScoringHead, tokenizer: Tokenizer): string {
  const token = (id: number) => `${id} ${JSON.stringify(tokenizer.tokenText(id) ?? null)}`;
  switch (head.kind) {
    case 'token':
      return `logit of token ${token(head.trueTokenId)}`;
    case 'log-odds':
      return `logit of token ${token(head.trueTokenId)} minus that of ${token(head.falseTokenId)}`;
    case 'classifier':
      return 'score.weight, read at the last token that is not padding';
  }
}
