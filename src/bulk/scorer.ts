import { ZrankError } from '../error.js';
import { type LoadOptions, Reranker } from '../index.js';
import { locate } from '../models/locate.js';
import { chunkCharacters, chunksOf } from '../tokenization/pair-encoder.js';
import { modelHash } from './model-hash.js';
import type { QueryScores } from './result.js';
import type { QueryCandidates, ScoringSettings, Shard } from './shard.js';

/** How a worker's model is loaded; a job says the rest. */
export type ScorerOptions = Pick<LoadOptions, 'device' | 'threads' | 'cacheFolder'>;

/** Scores of float32 have at most so many digits that count. */
const digits = 9;

/**
 * Scores shards with one model, so that a shard has the same scores bit for bit whenever it is computed: of its batches
 * each holds what it held before. For that calls run one after the other, each no larger than what the reranker makes
 * one block of, and by one worker, whose batches are cut by their tokens alone; the other threads help inside of them.
 */
export class Scorer {
  readonly #folder: string;
  readonly #options: ScorerOptions;
  /** What jobs call the model. */
  readonly model: ScoringSettings['model'];
  #reranker: Reranker | undefined;
  #precision: ScoringSettings['precision'] | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, model: ScoringSettings['model'], options: ScorerOptions) {
    this.#folder = folder;
    this.model = model;
    this.#options = options;
  }

  /**
   * Hashes a model that is here, which takes about a second a gigabyte. It is loaded with the first shard, whose job
   * says in which precision.
   *
   * @param called its name for people, where that is not the folder's
   * @throws ZrankError what Reranker.load() throws for a model that is not there
   */
  static async open(model: string, options: ScorerOptions = {}, called?: string): Promise<Scorer> {
    const { folder, name } = await locate(model);
    return new Scorer(folder, { name: called ?? name, hash: await modelHash(folder) }, options);
  }

  /**
   * Waits for the shards before it.
   *
   * @throws ZrankError MODEL_MISMATCH where this is not the model, or the machine has not the precision, that the job
   * names; what Reranker.rank() throws
   */
  score(shard: Shard, settings: ScoringSettings, signal?: AbortSignal): Promise<QueryScores[]> {
    const scores = this.#last.then(() => this.#score(shard, settings, signal));
    this.#last = scores.catch(() => {});
    return scores;
  }

  async #score(shard: Shard, settings: ScoringSettings, signal?: AbortSignal): Promise<QueryScores[]> {
    const reranker = await this.#load(settings);
    const results: QueryScores[] = [];
    for (const query of shard.queries) results.push(await scoreQuery(reranker, query, settings, signal));
    return results;
  }

  async #load({ model, precision }: ScoringSettings): Promise<Reranker> {
    if (model.hash !== this.model.hash)
      throw new ZrankError(
        'MODEL_MISMATCH',
        `the job is for the model ${model.name} (${model.hash}), this worker has ${this.model.name} (${this.model.hash})`,
        { expected: `${model.name} ${model.hash}`, received: `${this.model.name} ${this.model.hash}` },
      );
    if (this.#reranker === undefined || this.#precision !== precision) {
      await this.#reranker?.close();
      this.#precision = precision;
      this.#reranker = await Reranker.load(this.#folder, { ...this.#options, workers: 1, precision });
    }
    if (this.#reranker.precision !== precision)
      throw new ZrankError(
        'MODEL_MISMATCH',
        `the job is for ${model.name} in ${precision}, which here runs in ${this.#reranker.precision} only`,
        { expected: precision, received: this.#reranker.precision },
      );
    return this.#reranker;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#reranker?.close();
  }
}

async function scoreQuery(
  reranker: Reranker,
  { id, text, documents }: QueryCandidates,
  { instruction, maxLength, specialTokens }: ScoringSettings,
  signal: AbortSignal | undefined,
): Promise<QueryScores> {
  const logits: number[] = [];
  const scores: number[] = [];
  const pairs = documents.map((document) => [text, document.text] as const);
  for (const call of chunksOf(pairs, chunkCharacters)) {
    const start = logits.length;
    const hits = await reranker.rank(
      text,
      call.map(([, document]) => document),
      { instruction, maxLength, specialTokens, signal },
    );
    for (const { index, logit, score } of hits) {
      logits[start + index] = Number(logit.toPrecision(digits));
      scores[start + index] = Number(score.toPrecision(digits));
    }
  }
  return { id, documents: documents.map((document) => document.id), logits, scores };
}
