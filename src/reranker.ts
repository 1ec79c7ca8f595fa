import { throwIfAborted, ZrankError } from './error.js';
import { checkOptions } from './options.js';
import { locate } from './models/locate.js';
import { rankOrder } from './ranking/rank-order.js';
import type { EngineCounters, NativeWork } from './addon.js';
import type { CrossEncoder } from './networks/cross-encoder.js';
import { CallScores } from './cache/call-scores.js';
import { ScoreCache } from './cache/score-cache.js';
import { readCrossEncoder } from './networks/network.js';
import {
  defaultBatchTokens,
  defaultPrefixStretch,
  type Placed,
  type Placement,
  type Precision,
} from './devices/device.js';
import { place } from './devices/placement.js';
import {
  type CallOptions,
  callRules,
  type Document,
  type Hit,
  type LoadOptions,
  type LoadProgress,
  loadRules,
  type RankOptions,
  rankRules,
} from './reranker-options.js';
import { CallStatistics, CallTimeline, type RerankerStats } from './runtime/call-statistics.js';
import { withDeadline } from './runtime/deadline.js';
import { Engine, splitThreads } from './runtime/engine.js';
import { Lifetime } from './runtime/lifetime.js';
import { Prefixes } from './runtime/work.js';
import { toProbability } from './scoring/probability.js';
import {
  chunkCharacters,
  chunksOf,
  type EncodedPrompt,
  type EncodeOptions,
  type Pair,
  type Token,
} from './tokenization/pair-encoder.js';

/**
 * A cross-encoder that scores how well documents answer a query. Use from one thread; other threads load their own,
 * which shares the weights with this one.
 */
export class Reranker implements AsyncDisposable {
  readonly #crossEncoder: CrossEncoder;
  readonly #placement: Placement;
  readonly #engine: Engine;
  readonly #cache: ScoreCache | undefined;
  readonly #defaults: Required<
    Pick<
      LoadOptions,
      | 'maxLength'
      | 'truncation'
      | 'specialTokens'
      | 'temperature'
      | 'maxBatchTokens'
      | 'maxQueueTokens'
      | 'maxDocuments'
      | 'maxRequestTokens'
    > & { prefixStretch: number }
  >;
  readonly #calls = new CallStatistics();
  readonly #lifetime: Lifetime;

  private constructor(
    crossEncoder: CrossEncoder,
    placed: Placed,
    engine: Engine,
    cache: ScoreCache | undefined,
    options: LoadOptions,
  ) {
    this.#crossEncoder = crossEncoder;
    this.#cache = cache;
    this.#placement = placed.placement;
    this.#engine = engine;
    const memory = placed.shareMemory?.(options.maxBatchTokens);
    this.#lifetime = new Lifetime('reranker', async () => {
      await Promise.all([engine.close(), cache?.close()]).finally(() => memory?.release());
    });
    const maxQueueTokens = options.maxQueueTokens ?? 2 ** 22;
    this.#defaults = {
      maxLength: options.maxLength ?? crossEncoder.maxLength,
      truncation: options.truncation ?? 'document',
      specialTokens: options.specialTokens ?? 'parse',
      temperature: options.temperature ?? crossEncoder.temperature,
      maxBatchTokens: options.maxBatchTokens ?? memory?.batchTokens ?? defaultBatchTokens,
      prefixStretch:
        options.maxBatchTokens === undefined && placed.placement.device === 'cpu' ? defaultPrefixStretch : 1,
      maxQueueTokens,
      maxDocuments: options.maxDocuments ?? Infinity,
      maxRequestTokens: options.maxRequestTokens ?? maxQueueTokens,
    };
  }

  /**
   * Loads a model: a folder in the Hugging Face / sentence-transformers layout, one of the hub in Hugging Face's cache
   * (`owner/name`, perhaps `@revision`), or one by a short name (`zerank-2`, `zrank-small`). Weights are mapped, not
   * read, so this takes well under a second. Throws a ZrankError that says what is wrong with the folder, or
   * MODEL_NOT_DOWNLOADED.
   */
  static async load(model: string, options: LoadOptions = {}): Promise<Reranker> {
    if (typeof model !== 'string' || model === '')
      throw ZrankError.argument('the model', 'a folder or the name of a model', model);
    checkOptions('Reranker.load()', options, loadRules);
    const { download, onLoadProgress } = options;
    const progress = (phase: LoadProgress['phase']) =>
      onLoadProgress && ((bytes: Omit<LoadProgress, 'phase'>) => onLoadProgress({ phase, ...bytes }));
    const { folder } = await locate(model, { download, onProgress: progress('download') });
    const crossEncoder = await readCrossEncoder(folder);
    checkMaxLength(options.maxLength, crossEncoder);
    const placed = await place(crossEncoder.network, options.device ?? 'auto', {
      precision: options.precision ?? 'auto',
      attention: options.attention ?? 'auto',
      gatedUnits: options.gatedUnits ?? 'auto',
      products: options.products ?? 'auto',
      maxLength: options.maxLength ?? crossEncoder.maxLength,
      cacheFolder: options.cacheFolder,
      onProgress: progress('convert'),
    });
    const threads = { ...splitThreads(options), profilePrefix: options.profilePrefix };
    const engine = await Engine.open(placed.model, threads);
    let cache: ScoreCache | undefined;
    try {
      cache = options.cache && (await ScoreCache.open(options.cache, placed, options.cacheFolder));
      return new Reranker(crossEncoder, placed, engine, cache, options);
    } catch (error) {
      await Promise.all([engine.close(), cache?.close()]);
      throw error;
    }
  }

  /** The default of maxLength. */
  get maxLength(): number {
    return this.#defaults.maxLength;
  }

  /** The precision of the network's matrix products. */
  get precision(): Precision {
    return this.placement.precision;
  }

  /** Where the model runs and how, and what was rejected for it. */
  get placement(): Placement {
    return this.#placement;
  }

  /** What the engine behind this model has computed, for everyone in the process who shares it. */
  counters(): EngineCounters {
    this.#lifetime.assertOpen();
    return this.#engine.counters();
  }

  /** What became of this object's calls, and what waits for the engine now. */
  stats(): RerankerStats {
    this.#lifetime.assertOpen();
    return this.#calls.stats(this.#engine.waitingTokens());
  }

  /**
   * Scores pairs of query and document (or prompts that are complete already, as strings). Returns their raw logits
   * [pairs], in the order of the pairs.
   */
  async predict(pairs: readonly Pair[], options: CallOptions = {}): Promise<Float32Array> {
    checkOptions('predict()', options, callRules);
    checkPairs(pairs);
    return (await this.#score([...pairs], options)).logits;
  }

  /** Ranks documents by how well they answer the query, best first; equal scores keep the documents' order. */
  async rank<D extends Document>(query: string, documents: readonly D[], options: RankOptions = {}): Promise<Hit<D>[]> {
    checkOptions('rank()', options, rankRules);
    if (typeof query !== 'string') throw ZrankError.argument('the query', 'a string', query);
    if (!Array.isArray(documents)) throw ZrankError.argument('the documents', 'an array', documents);
    // The caller may change its list while the documents are scored.
    const given = [...documents];
    const pairs = given.map((document, i): Pair => [query, documentText(document, i)]);
    const { prompts, logits } = await this.#score(pairs, options);
    return rankOrder(logits)
      .slice(0, options.topN)
      .map((index) => {
        const logit = logits[index]!;
        const prompt = prompts[index]!;
        return {
          index,
          score: toProbability(logit, this.#defaults.temperature),
          logit,
          tokens: prompt.ids.length,
          truncated: prompt.truncated,
          ...(options.returnDocuments && { document: given[index]! }),
        };
      });
  }

  /** The tokens of texts by themselves, outside of any prompt. @default addSpecialTokens true, as the tokenizer says */
  async tokenize(texts: readonly string[], { addSpecialTokens = true } = {}): Promise<Token[][]> {
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string'))
      throw ZrankError.argument('the texts', 'an array of strings', texts);
    return this.#lifetime.run(() => this.#crossEncoder.encoder.tokens(texts, addSpecialTokens));
  }

  /** Refuses later calls with CLOSED, and resolves when those in flight have ended. stats() still tells. */
  drain(): Promise<void> {
    return this.#lifetime.drain();
  }

  /** Waits for the calls in flight and frees what the model holds. Later calls fail with CLOSED. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #score(pairs: readonly Pair[], options: RankOptions): Promise<Scored> {
    const { signal, timeoutMs } = options;
    return this.#lifetime.run(() =>
      this.#calls.watch(() =>
        withDeadline(signal, timeoutMs, (signal) => this.#encodeAndRun(pairs, { ...options, signal })),
      ),
    );
  }

  async #encodeAndRun(
    pairs: readonly Pair[],
    options: RankOptions & { signal: AbortSignal | undefined },
  ): Promise<Scored> {
    const { signal, onProgress } = options;
    checkMaxLength(options.maxLength, this.#crossEncoder);
    const scores = new CallScores(options.cache === false ? undefined : this.#cache);
    const { prompts, due } = scores;
    const total = pairs.length;
    if (total === 0) return { prompts, logits: new Float32Array(0) };
    const timeline = new CallTimeline();
    const computed = await this.#engine.run(this.#blocks(pairs, scores, timeline, options), {
      signal,
      onStart: (waitedSeconds) => timeline.started(waitedSeconds),
      onProgress: onProgress && ((done) => onProgress({ completed: scores.found + done, total })),
    });
    if (computed.length !== due.length) {
      throw new ZrankError(
        'ARCHITECTURE_UNSUPPORTED',
        `a reranker gives one logit a pair, this model gives ${computed.length / due.length}`,
      );
    }
    const logits = scores.complete(computed);
    if (scores.mayFind) this.#calls.lookedUp(scores.found, due.length);
    const timing = timeline.ended();
    this.#calls.ran(timing);
    onProgress?.({ completed: total, total });
    options.onTiming?.(timing);
    return { prompts, logits };
  }

  /**
   * Makes the pairs' prompts, which it adds to `scores`, and blocks of those that are due: the first is of one chunk,
   * each other about as large as all before it. So the first runs at once, cuts are few, at each of which a shared query
   * is computed again, and a device that is slower than the tokenizer never waits. Room in the queue is held by the
   * length of the texts until the first block is there, which announces the others. A block that announces others is
   * followed by one: where the cache may have all that is left, a prompt is held back for it.
   */
  async *#blocks(
    pairs: readonly Pair[],
    scores: CallScores,
    timeline: CallTimeline,
    options: RankOptions & { signal: AbortSignal | undefined },
  ): AsyncGenerator<NativeWork> {
    const { maxDocuments, maxRequestTokens, maxQueueTokens } = this.#defaults;
    if (pairs.length > maxDocuments) throw tooLarge('documents', pairs.length, 'maxDocuments', maxDocuments);
    const settings = this.#encodeOptions(options);
    const least = fewestTokens(pairs, settings.maxLength);
    if (least > maxRequestTokens) throw tooLarge('tokens or more', least, 'maxRequestTokens', maxRequestTokens);
    const release = this.#engine.reserve(least, maxQueueTokens);
    try {
      const { maxDocumentTokens, priority } = options;
      if (maxDocumentTokens !== undefined) {
        const [frame] = await this.#crossEncoder.encoder.encode([[pairs[0]![0]!, '']], settings);
        settings.maxLength = Math.min(settings.maxLength, frame!.ids.length + maxDocumentTokens);
      }
      const prefixes = new Prefixes();
      const { prompts, due } = scores;
      let tokens = 0;
      let submitted = 0;
      for (const chunk of chunksOf(pairs, chunkCharacters)) {
        throwIfAborted(options.signal);
        const encoded = await this.#crossEncoder.encoder.encode(chunk, settings);
        for (const prompt of encoded) {
          if (prompt.ids.length === 0)
            throw new ZrankError(
              'INVALID_ARGUMENT',
              'expected a prompt of at least one token but received an empty one',
            );
          tokens += prompt.ids.length;
        }
        if (tokens > maxRequestTokens) throw tooLarge('tokens or more', tokens, 'maxRequestTokens', maxRequestTokens);
        scores.add(encoded);
        const isLast = prompts.length === pairs.length;
        if (due.length < 2 * submitted && !isLast) continue;
        const ready = due.slice(submitted, scores.mayFind && !isLast ? -1 : undefined);
        if (ready.length === 0) continue;
        const [made, rest] = [pairs.slice(0, prompts.length), pairs.slice(prompts.length)].map((some) =>
          fewestTokens(some, settings.maxLength),
        );
        const limits = { ...this.#defaults, priority, toCome: rest! / made! };
        const work = this.#crossEncoder.work(
          ready.map((index) => pairs[index]!),
          ready.map((index) => prompts[index]!),
          limits,
          prefixes,
        );
        submitted += ready.length;
        timeline.tokenized();
        yield work;
        release();
      }
      timeline.tokenized();
    } finally {
      release();
    }
  }

  #encodeOptions(options: CallOptions): EncodeOptions {
    return {
      instruction: options.instruction,
      maxLength: options.maxLength ?? this.#defaults.maxLength,
      truncation: options.truncation ?? this.#defaults.truncation,
      specialTokens: options.specialTokens ?? this.#defaults.specialTokens,
    };
  }
}

interface Scored {
  prompts: EncodedPrompt[];
  /** [pairs] */
  logits: Float32Array;
}

/** Fewer tokens than nearly any texts of this length have, queries aside: calls share those. */
function fewestTokens(pairs: readonly Pair[], maxLength: number): number {
  const charactersPerToken = 8;
  return pairs.reduce((sum, pair) => {
    const { length } = typeof pair === 'string' ? pair : pair[1];
    return sum + Math.min(maxLength, 1 + Math.floor(length / charactersPerToken));
  }, 0);
}

function tooLarge(what: string, count: number, option: string, limit: number): ZrankError {
  return new ZrankError('REQUEST_TOO_LARGE', `the call has ${count} ${what}, the limit is ${option} = ${limit}`, {
    expected: `at most ${limit}`,
    received: String(count),
  });
}

function checkMaxLength(maxLength: number | undefined, { maxPositions }: CrossEncoder): void {
  if (maxLength === undefined || maxLength <= maxPositions) return;
  throw ZrankError.argument('maxLength', `at most ${maxPositions}, the positions of this model,`, maxLength);
}

function checkPairs(pairs: readonly Pair[]): void {
  if (!Array.isArray(pairs)) throw ZrankError.argument('the pairs', 'an array of [query, document]', pairs);
  pairs.forEach((pair: unknown, i) => {
    if (typeof pair === 'string') return;
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
    if (!isPair) throw ZrankError.argument(`pair ${i}`, '[query, document], two strings,', pair);
  });
}

function documentText(document: unknown, index: number): string {
  if (typeof document === 'string') return document;
  const text = (document as { text?: unknown } | null | undefined)?.text;
  if (typeof text === 'string') return text;
  throw ZrankError.argument(`document ${index}`, 'a string or an object with the string `text`', document);
}
