import { setTimeout as wait } from 'node:timers/promises';
import { DelayedError, type Job, UnrecoverableError } from 'bullmq';
import { type ErrorCode, ZrankError } from '../error.js';
import { keys } from './manifest.js';
import { isResultOf, writeResult } from './result.js';
import type { Scorer } from './scorer.js';
import { readShard } from './shard.js';
import type { ObjectStore } from './store.js';
import type { ShardJob, ShardReport } from './submit.js';

export interface ProcessorOptions {
  scorer: Scorer;
  /** The store that a job names. */
  openStore: (location: string) => ObjectStore | Promise<ObjectStore>;
  /**
   * Told why this worker cannot compute a shard which another may: it has another model, or does not reach the store.
   * The shard goes back into the queue without having been tried. The worker should be closed.
   */
  onRefusal: (reason: ZrankError) => void;
  /** Told of a store that takes no result, such as a full disk, and that it is tried again. */
  onStoreFailure?: (reason: unknown) => void;
  /** How long a result waits for a store that does not take it, in milliseconds. @default 600000 */
  storePatienceMs?: number;
}

/** A shard that a worker refuses is given to none for so long. */
const refusedForMs = 2000;
/** A store is tried again after so long at first, twice as long each further time, and so long at last. */
const storeRetryMs = { first: 500, last: 30_000 };
/** The shard's own fault, whoever computes it and how often. */
const hopeless: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'PROMPT_TOO_LONG',
  'QUERY_TOO_LONG',
  'REQUEST_TOO_LARGE',
]);
/** The worker's, whatever the shard. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'MODEL_MISMATCH',
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'FILE_UNWRITABLE',
  'DISK_FULL',
  'ADDON_NOT_FOUND',
  'ONNXRUNTIME_NOT_FOUND',
  'DEVICE_UNAVAILABLE',
  'CLOSED',
]);

/**
 * What a BullMQ worker runs on a shard: `new Worker(queue, createProcessor(options), …)`. A result that is there already
 * is not computed again, so a shard may be delivered as often as it likes.
 */
export function createProcessor(
  options: ProcessorOptions,
): (job: Job<ShardJob, ShardReport>, token?: string, signal?: AbortSignal) => Promise<ShardReport> {
  return async (job, token, signal) => {
    try {
      return await process(job.data, options, signal);
    } catch (error) {
      if (!(error instanceof ZrankError)) throw error;
      const reason = `${error.message} [${error.code}]`;
      if (refusals.has(error.code)) {
        options.onRefusal(error);
        await job.moveToDelayed(Date.now() + refusedForMs, token);
        throw new DelayedError(reason);
      }
      if (hopeless.has(error.code)) throw new UnrecoverableError(reason);
      throw new Error(reason, { cause: error });
    }
  };
}

async function process(data: ShardJob, options: ProcessorOptions, signal?: AbortSignal): Promise<ShardReport> {
  const { scorer, openStore } = options;
  const { job, settings, shard } = data;
  const { pairs, tokens } = shard;
  const store = await openStore(data.store);
  const key = keys.result(job, shard.id);
  if (isResultOf(shard, await store.get(key))) return { pairs, tokens, reused: true };
  const bytes = await store.get(keys.shard(job, shard.id));
  if (bytes === undefined)
    throw new ZrankError(
      'FILE_NOT_FOUND',
      `${store.location} has no ${keys.shard(job, shard.id)}: is it on this machine what it was where the job was submitted?`,
    );
  const scores = await scorer.score(readShard(shard.id, bytes, settings), settings, signal);
  await putPatiently(store, key, writeResult(shard.id, scores), options, signal);
  return { pairs, tokens, reused: false };
}

/** What has been computed is not thrown away because a disk is full for a while. */
async function putPatiently(
  store: ObjectStore,
  key: string,
  bytes: Buffer,
  { storePatienceMs = 600_000, onStoreFailure }: ProcessorOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const end = performance.now() + storePatienceMs;
  for (let pause = storeRetryMs.first; ; pause = Math.min(2 * pause, storeRetryMs.last)) {
    try {
      return await store.put(key, bytes);
    } catch (error) {
      if (performance.now() + pause > end || signal?.aborted) throw error;
      onStoreFailure?.(error);
      await wait(pause, undefined, { signal }).catch(() => {});
    }
  }
}
