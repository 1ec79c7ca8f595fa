import { stat } from 'node:fs/promises';
import { paddedWork } from '../../runtime/work.js';
import { SequenceEncoder } from '../../tokenization/sequence-encoder.js';
import { Tokenizer } from '../../tokenization/tokenizer.js';
import type { CrossEncoder } from '../cross-encoder.js';
import { checkVocabulary } from '../vocabulary.js';
import { readEncoderClassifier } from './folder.js';

/** A BERT-like cross-encoder, run from its ONNX file; its one logit is that of a sigmoid. */
export async function readOnnxEncoder(folder: string): Promise<CrossEncoder> {
  const { architecture, onnxPath, padId, vocabularySize, maxLength, maxPositions, prompt, ...files } =
    await readEncoderClassifier(folder);
  const tokenizer = new Tokenizer(files.tokenizer);
  const temperature = 1;
  return {
    network: {
      kind: 'onnx-encoder',
      model: {
        replicas: [{ kind: 'padded-encoder', graphPath: onnxPath, pooling: [], normalize: false, padId }],
        files: [onnxPath],
      },
    },
    encoder: new SequenceEncoder(tokenizer, prompt),
    work(_, prompts, limits) {
      checkVocabulary(prompts, vocabularySize, tokenizer);
      return paddedWork(prompts, limits);
    },
    maxLength,
    maxPositions,
    temperature,
    describe: async () => ({
      folder,
      architecture,
      weightBytes: (await stat(onnxPath)).size,
      weightFiles: [onnxPath],
      maxLength,
      prompt: `${prompt ?? ''}query and document, as the tokenizer joins two texts`,
      instruction: 'none',
      score: 'the one logit of the classifier',
      temperature,
    }),
  };
}
