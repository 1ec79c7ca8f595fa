import type { Job, Queue } from 'bullmq';
import type { Manifest } from './manifest.js';
import type { ObjectStore } from './store.js';
import { keptRecords, type ShardJob, type ShardReport } from './submit.js';

/** How far a job is. Tokens are estimated ones. */
export interface BulkStatus {
  name: string;
  shards: number;
  done: number;
  /** Being computed. */
  active: number;
  pairs: number;
  pairsDone: number;
  isPaused: boolean;
  /** Of the shards of the last minutes, over all workers; undefined where none has been computed. */
  pairsPerSecond?: number;
  /** As long as the rest takes at that rate. */
  secondsLeft?: number;
  /** Shards that were set aside, and why. */
  aside: readonly { shard: string; tries: number; reason: string }[];
}

/** The rate is that of the shards that ended within so long of the last one. */
const windowMs = 120_000;

/** @throws what the store and Redis throw */
export async function bulkStatus(queue: Queue, store: ObjectStore, manifest: Manifest): Promise<BulkStatus> {
  const { name, shards } = manifest;
  const results = new Set(await store.list(`${name}/results/`));
  const done = shards.filter(({ id }) => results.has(`${id}.jsonl`));
  const mine = (jobs: (Job<ShardJob, ShardReport> | undefined)[]) => jobs.filter((job) => job?.name === name) as Job[];
  const active = mine(await queue.getActive());
  const failed = mine(await queue.getFailed()).filter(({ data }) => !results.has(`${data.shard.id}.jsonl`));
  const pairs = shards.reduce((sum, shard) => sum + shard.pairs, 0);
  const left = shards.filter(
    ({ id }) => !results.has(`${id}.jsonl`) && !failed.some((job) => job.data.shard.id === id),
  );
  const rate = rateOf(mine(await queue.getCompleted(0, keptRecords)));
  return {
    name,
    shards: shards.length,
    done: done.length,
    active: active.length,
    pairs,
    pairsDone: done.reduce((sum, shard) => sum + shard.pairs, 0),
    isPaused: await queue.isPaused(),
    ...(rate && {
      pairsPerSecond: rate.pairs,
      secondsLeft: left.reduce((sum, { tokens }) => sum + tokens, 0) / rate.tokens,
    }),
    aside: failed.map(({ data, attemptsMade, stalledCounter, failedReason }) => ({
      shard: data.shard.id,
      tries: attemptsMade + (stalledCounter ?? 0),
      reason: failedReason,
    })),
  };
}

function rateOf(completed: readonly Job<ShardJob, ShardReport>[]): { pairs: number; tokens: number } | undefined {
  const computed = completed.filter(({ returnvalue }) => returnvalue?.reused === false);
  const end = Math.max(...computed.map(({ finishedOn }) => finishedOn!));
  const recent = computed.filter(({ finishedOn }) => finishedOn! > end - windowMs);
  if (recent.length === 0) return undefined;
  const start = Math.min(...recent.map(({ processedOn }) => processedOn!));
  const seconds = Math.max(1, end - start) / 1000;
  const sum = (of: 'pairs' | 'tokens') => recent.reduce((all, { returnvalue }) => all + returnvalue[of], 0) / seconds;
  return { pairs: sum('pairs'), tokens: sum('tokens') };
}
