import type { NativeWork } from '../addon.js';
import type { EngineModel } from '../runtime/engine.js';
import type { Prefixes, WorkLimits } from '../runtime/work.js';
import type { EncodedPrompt, Pair, PairEncoder } from '../tokenization/pair-encoder.js';
import type { Decoder } from './decoder/decoder.js';

/** What a reranker asks of a model folder, whatever network it holds. */
export interface CrossEncoder {
  network: Network;
  encoder: PairEncoder;
  /** The prompts of some pairs of a call as the engine takes them; `prefixes` are the call's. */
  work(pairs: readonly Pair[], prompts: readonly EncodedPrompt[], limits: WorkLimits, prefixes: Prefixes): NativeWork;
  /** The longest prompt in tokens, unless the caller says otherwise. */
  maxLength: number;
  /** The longest prompt that the network has positions for. */
  maxPositions: number;
  /** score = sigmoid(logit / temperature). */
  temperature: number;
  describe(): Promise<Description>;
}

/** What is placed on a device. */
export type Network = DecoderNetwork | OnnxEncoderNetwork;

/** Its graph is written for the device. */
export interface DecoderNetwork extends Decoder {
  kind: 'decoder';
  /** Token ids of a few prompts, of relevant documents and others. */
  samplePrompts(): Promise<number[][]>;
}

/** It has its graph already. */
export interface OnnxEncoderNetwork {
  kind: 'onnx-encoder';
  model: EngineModel;
}

/**
 * What a model folder holds; its keys are those of `zrank inspect --json`. Undefined is what an ONNX file does not
 * tell.
 */
export interface Description {
  folder: string;
  architecture: string;
  layers?: number;
  hiddenSize?: number;
  intermediateSize?: number;
  heads?: string;
  vocabulary?: number;
  parameters?: number;
  dtype?: string;
  weightBytes: number;
  weightFiles: string[];
  maxLength?: number;
  prompt?: string;
  promptTokens?: number;
  instruction?: string;
  /** Of rerankers: what the score is read from. */
  score?: string;
  temperature?: number;
  /** Of bi-encoders: how a text's embedding comes about, and what compares two. */
  embedding?: string;
  similarity?: string;
  /** Of bi-encoders: what is put before a text, by the kind of text. */
  prompts?: Readonly<Partial<Record<string, string>>>;
  /** Keys of its files that zrank does not know: they may mean something to a score. */
  unknownKeys?: string[];
}
