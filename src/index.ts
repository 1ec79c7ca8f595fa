export { ZrankError, errorCodes, type ErrorCode, type ZrankErrorOptions } from './error.js';
export {
  Reranker,
  type CallOptions,
  type Device,
  type Document,
  type Hit,
  type LoadOptions,
  type Precision,
  type RankOptions,
} from './reranker.js';
export type { EngineCounters } from './runtime/addon.js';
export { toProbability } from './scoring/probability.js';
export type { Pair } from './tokenization/prompt-encoder.js';
