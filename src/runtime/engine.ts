import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { throwIfAborted, ZrankError } from '../error.js';
import { fromNative, type EngineCounters, type NativeEngine, type NativeModel, type NativeWork } from '../addon.js';
import { addonPath } from '../libraries/load-addon.js';
import { openAddon } from '../libraries/open-addon.js';
import { warnOfCluster } from './cluster.js';
import type drain from './cpu-worker.cjs';

/** A model to run, and the files that it is read from. */
export interface EngineModel {
  /** One a GPU, or the one of the CPU. */
  replicas: readonly NativeModel[];
  files: readonly string[];
  /** Runs sequences whose score is not finite, or that a GPU has no memory for. */
  fallback?: NativeModel | undefined;
  /** Whether workers without a batch can help inside those of others: zrank's kernels multiply. */
  isDivisible?: boolean;
}

export interface EngineOptions {
  /** CPU threads that run batches side by side. */
  workers: number;
  /** CPU threads in all; what the workers leave helps inside their runs. */
  threads: number;
  /** What the path of ONNX Runtime's trace begins with. */
  profilePrefix?: string | undefined;
}

export interface RunOptions {
  signal?: AbortSignal | undefined;
  /** Called when the first batch with sequences of this call is run, with the seconds that they have waited. */
  onStart?: ((waitedSeconds: number) => void) | undefined;
  onProgress?: ((sequencesDone: number) => void) | undefined;
}

export function defaultThreads(): number {
  return availableParallelism();
}

/** Workers and threads where one or none of them is given: a worker a core, but no more than threads. */
export function splitThreads(given: Partial<EngineOptions>, cores = defaultThreads()): EngineOptions {
  const workers = given.workers ?? Math.min(cores, given.threads ?? cores);
  return { workers, threads: Math.max(workers, given.threads ?? cores) };
}

/**
 * A model that runs in this process. The native engine behind it is shared by everyone who opens the same model with
 * the same settings. On the CPU its batches run on the threads of this object's piscina pool, on a GPU on its own.
 */
export class Engine {
  readonly #native: NativeEngine;
  readonly #pool: Piscina<Parameters<typeof drain>[0], void> | undefined;
  readonly #workers: number;
  /** Batches that a device computes side by side. */
  readonly #runsAtOnce: number;
  /** Rejects the calls in flight. */
  readonly #pending = new Set<(error: unknown) => void>();
  readonly #drains = new Set<Promise<void>>();
  /** Tokens that are being made for this object's calls. */
  #reserved = 0;
  #closing: Promise<void> | undefined;

  private constructor(native: NativeEngine, workers: number, runsAtOnce: number) {
    this.#native = native;
    this.#workers = workers;
    this.#runsAtOnce = runsAtOnce;
    if (workers === 0) return;
    this.#pool = new Piscina({
      filename: new URL('./cpu-worker.cjs', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
      execArgv: [],
      recordTiming: false,
    });
  }

  /** Opens a model. Throws SESSION_FAILED and what opening the addon throws. */
  static async open(model: EngineModel, options: EngineOptions): Promise<Engine> {
    const { workers, threads, profilePrefix } = options;
    try {
      const onGpus = model.replicas.some((replica) => replica.kind === 'packed-decoder' && replica.device !== 'cpu');
      if (!onGpus && threads >= defaultThreads()) warnOfCluster(threads);
      const native = await openAddon().openEngine({
        key: identity(model, options),
        replicas: model.replicas,
        onGpus,
        workers,
        hasTeam: model.isDivisible === true && workers === threads,
        intraOpThreads: onGpus ? 1 : Math.max(1, threads - workers + 1),
        fallbackThreads: threads,
        profilePrefix,
        fallback: model.fallback,
      });
      return onGpus ? new Engine(native, 0, model.replicas.length) : new Engine(native, workers, workers);
    } catch (error) {
      throw fromNative(error);
    }
  }

  counters(): EngineCounters {
    return this.#native.counters();
  }

  /**
   * Holds room in the queue for about so many tokens while they are made. Throws QUEUE_FULL where there is none, before
   * anybody's time is spent on them; an empty queue has room for any number. Returns what gives the room back, once.
   */
  reserve(tokens: number, maxQueueTokens: number): () => void {
    const waiting = this.waitingTokens();
    if (waiting > 0 && waiting + tokens > maxQueueTokens) {
      throw this.#queueFull(
        `about ${waiting} tokens wait already, ${tokens} more would pass maxQueueTokens = ${maxQueueTokens}`,
        Math.min(waiting, waiting + tokens - maxQueueTokens),
      );
    }
    this.#reserved += tokens;
    let held = tokens;
    return () => {
      this.#reserved -= held;
      held = 0;
    };
  }

  /** Tokens that wait in the queue, and about as many as are being made for it. */
  waitingTokens(): number {
    return this.#native.counters().queuedTokens + this.#reserved;
  }

  #queueFull(message: string, tokens: number, cause?: unknown): ZrankError {
    return new ZrankError('QUEUE_FULL', message, { cause, retryAfterMs: this.#msToCompute(tokens) });
  }

  /** How long so many tokens take, if they take as long as those before them; a second where there were none. */
  #msToCompute(tokens: number): number {
    const { tokens: computed, computeSeconds } = this.#native.counters();
    if (computed === 0) return 1000;
    return Math.min(60_000, Math.max(50, Math.ceil((1000 * tokens * computeSeconds) / (computed * this.#runsAtOnce))));
  }

  /**
   * Runs the sequences of the blocks; resolves to a row of numbers a sequence, in their order, at once where there is no
   * block. The first block runs while the next is made; where the call ends before all are made, no more are asked for.
   */
  async run(
    blocks: Iterable<NativeWork> | AsyncIterable<NativeWork>,
    { signal, onStart, onProgress }: RunOptions = {},
  ): Promise<Float32Array> {
    throwIfAborted(signal);
    let ticket: number | undefined;
    let tokens = 0;
    let isOver = false;
    let resolve!: (rows: Float32Array) => void;
    let reject!: (error: unknown) => void;
    const outcome = new Promise<Float32Array>((...ends) => ([resolve, reject] = ends));
    const cancel = () => ticket !== undefined && openAddon().cancel(ticket);
    // What the caller's function throws is the caller's: its own call ends with it.
    const report = onProgress && ((done: number) => callOr(reject, () => onProgress(done)));
    const submit = async () => {
      for await (const block of blocks) {
        if (isOver) break;
        throwIfAborted(signal);
        tokens += block.ids.length;
        if (ticket === undefined) {
          const call = this.#native.run(block, onStart, report);
          ticket = call.ticket;
          call.rows.then(resolve, reject);
        } else openAddon().append(ticket, block);
        this.#drain();
      }
      if (ticket === undefined) resolve(new Float32Array(0));
    };
    this.#pending.add(reject);
    signal?.addEventListener('abort', cancel, { once: true });
    const submitted = submit().catch(reject);
    try {
      return await outcome;
    } catch (error) {
      throwIfAborted(signal);
      const failure = fromNative(error);
      if (!(failure instanceof ZrankError && failure.code === 'QUEUE_FULL')) throw failure;
      throw this.#queueFull(failure.message, tokens, failure);
    } finally {
      isOver = true;
      signal?.removeEventListener('abort', cancel);
      this.#pending.delete(reject);
      // For a call that failed on this side; one that has ended is not there any more.
      cancel();
      await submitted;
    }
  }

  /**
   * Sends workers to the queue. A worker goes home when it finds the queue empty, so one may be about to do so while a
   * new request arrives: as many tasks again as there are workers are let wait, and those begin after it.
   */
  #drain(): void {
    for (let i = 0; i < this.#workers && this.#drains.size < 2 * this.#workers; i++) {
      const drain: Promise<void> = this.#pool!.run({ addonPath, engineId: this.#native.id })
        .catch((cause: unknown) => {
          if (this.#closing !== undefined) return;
          const error = new ZrankError('INTERNAL', `a CPU worker failed: ${(cause as Error).message}`, { cause });
          for (const reject of this.#pending) reject(error);
        })
        .finally(() => this.#drains.delete(drain));
      this.#drains.add(drain);
    }
  }

  /** Frees the workers and this object's hold on the model. Calls in flight must have ended. */
  close(): Promise<void> {
    // piscina throws, where nothing can catch it, at a worker that reports after destroy(): all go home first.
    this.#closing ??= this.#native
      .close()
      .then(() => Promise.allSettled(this.#drains))
      .then(() => this.#pool?.destroy());
    return this.#closing;
  }
}

function callOr(reject: (error: unknown) => void, call: () => void): void {
  try {
    call();
  } catch (error) {
    reject(error);
  }
}

/** Equal for models that compute the same from the same files with the same settings. */
function identity({ replicas, files }: EngineModel, { workers, threads, profilePrefix }: EngineOptions): string {
  const hash = createHash('sha256');
  for (const replica of replicas) {
    const { graph, ...settings } = { graph: '', ...replica };
    hash.update(graph).update(JSON.stringify(settings));
  }
  for (const path of files) {
    const { ino, dev, size, mtimeMs } = statSync(path);
    hash.update(JSON.stringify([path, ino, dev, size, mtimeMs]));
  }
  return hash.update(JSON.stringify([workers, threads, profilePrefix])).digest('hex');
}
