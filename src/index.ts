export { ZrankError, errorCodes, type ErrorCode, type ZrankErrorOptions } from './error.js';
export { Reranker } from './reranker.js';
export type { CallOptions, Document, Hit, LoadOptions, LoadProgress, RankOptions } from './reranker-options.js';
export type { ScoreCacheOptions } from './cache/options.js';
export type { Device, Placement, Precision } from './devices/device.js';
export { BiEncoder, type BiEncoderOptions, type EncodeTextsOptions } from './retrieval/bi-encoder.js';
export { diagnose } from './doctor/diagnose.js';
export type { Diagnosis } from './doctor/diagnosis.js';
export type { EngineCounters } from './addon.js';
export type { CallTiming, RerankerStats } from './runtime/call-statistics.js';
export type { HistogramCounts } from './runtime/histogram.js';
export type { Priority } from './runtime/work.js';
export { toProbability } from './scoring/probability.js';
export type { Pair, Token } from './tokenization/pair-encoder.js';
export { openBeir, type BeirDataset, type BeirDocument, type BeirOptions } from './evaluation/beir.js';
export { compare, type CompareOptions, type Comparison } from './evaluation/compare.js';
export { compareRuns, poolRuns, type CompareRunsOptions, type JudgedRuns } from './evaluation/compare-runs.js';
export { conventions, type Convention } from './evaluation/conventions.js';
export { findDatasets, type DatasetFolder } from './evaluation/datasets.js';
export { evaluate, type EvaluateOptions, type Evaluation } from './evaluation/evaluate.js';
export { defaultMeasures } from './evaluation/measures.js';
export { readQrels, writeQrels, type Qrels } from './evaluation/qrels.js';
export { readRun, writeRun, type Run, type WriteRunOptions } from './evaluation/run.js';
export { benchmark, type Benchmark, type BenchmarkOptions, type BenchmarkStage } from './retrieval/benchmark.js';
export { Bm25, englishStopWords, type Bm25Options } from './retrieval/bm25.js';
export { DenseRetriever, type DenseOptions, type Encoder } from './retrieval/dense.js';
export type { EncoderFingerprint } from './retrieval/fingerprint.js';
export { DocumentIndex, type IndexOptions, type RetrievedDocument } from './retrieval/document-index.js';
export {
  evaluateReranking,
  type EvaluateRerankingOptions,
  type RerankingEvaluation,
} from './retrieval/evaluate-reranking.js';
export { HybridRetriever, reciprocalRankFusion, type HybridOptions } from './retrieval/hybrid.js';
export {
  RetrieveAndRerank,
  type CandidateRanker,
  type RerankedDocument,
  type RetrieveAndRerankOptions,
  type SearchOptions,
} from './retrieval/pipeline.js';
export type { CorpusDocument, Retrieved, Retriever, RetrieverCallOptions } from './retrieval/retriever.js';
export { stemmers, type Stemmer } from './retrieval/stemmer.js';
export { VectorIndex, type VectorIndexOptions } from './retrieval/vector-index.js';
export type { Metric } from './retrieval/vector-rows.js';
