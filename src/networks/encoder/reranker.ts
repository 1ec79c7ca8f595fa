import { stat } from 'node:fs/promises';
import { paddedWork } from '../../runtime/work.js';
import { SequenceEncoder } from '../../tokenization/sequence-encoder.js';
import { Tokenizer } from '../../tokenization/tokenizer.js';
import type { CrossEncoder } from '../cross-encoder.js';
import { checkVocabulary } from '../vocabulary.js';
import { encoderModel, readEncoderClassifier } from './folder.js';

/** A BERT-like cross-encoder, run from its ONNX file; its one logit is that of a sigmoid. */
export async function readOnnxEncoder(folder: string): Promise<CrossEncoder> {
  const encoder = await readEncoderClassifier(folder);
  const { architecture, onnxPath, vocabularySize, maxLength, maxPositions, prompt } = encoder;
  const tokenizer = new Tokenizer(encoder.tokenizer);
  const temperature = 1;
  return {
    network: { kind: 'onnx-encoder', model: encoderModel(encoder) },
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
