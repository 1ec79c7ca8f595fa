import type { JobsOptions, Queue } from 'bullmq';
import { ZrankError } from '../error.js';
import type { Priority } from '../index.js';
import { aPositiveInteger, checkOptions, oneOf } from '../options.js';
import { version } from '../package.js';
import { checkJobName, findManifest, keys, type Manifest, type ShardEntry } from './manifest.js';
import { planShards } from './plan.js';
import { isResultOf } from './result.js';
import { makeShard, type QueryCandidates, type ScoringSettings } from './shard.js';
import type { ObjectStore } from './store.js';

/** What stands in the queue of a shard; its texts stand in the store. */
export interface ShardJob {
  job: string;
  /** The store's location. */
  store: string;
  settings: ScoringSettings;
  shard: ShardEntry;
}

/** What BullMQ keeps of a shard that is done. */
export interface ShardReport {
  pairs: number;
  tokens: number;
  /** Whether the result was there already: of a shard that was delivered again. */
  reused: boolean;
}

export interface SubmitOptions {
  /** Of the job: letters, digits, dots, dashes and _. */
  name: string;
  settings: ScoringSettings;
  /** About how many tokens a shard has, estimated by the bytes of its texts. @default 65536 */
  shardTokens?: number;
  /** How often a shard is tried before it is set aside. @default 5 */
  tries?: number;
  /** Shards of a higher priority are taken first. @default 'normal' */
  priority?: Priority;
}

export interface Submitted {
  manifest: Manifest;
  /** Shards that have been queued: those without a result. */
  queued: number;
}

/** As BullMQ counts: the least is first. */
const priorities: Readonly<Record<Priority, number>> = { high: 1, normal: 2, low: 3 };
/** Added to Redis at a time. */
const bulkSize = 1000;
/** Finished shards whose record Redis keeps, for the rate. */
export const keptRecords = 10_000;

/**
 * Cuts queries into shards, puts their texts into the store and the shards into the queue. Done again with the same
 * queries, it queues what has no result yet and is not in the queue: after a failure halfway, or to have shards tried
 * anew that were set aside.
 *
 * @param queries each once; those without documents have no result
 * @throws ZrankError INVALID_ARGUMENT; DATA_INVALID where the store has another job of this name, or there is nothing to
 * score; what the store throws
 */
export async function submit(
  queue: Queue,
  store: ObjectStore,
  queries: readonly QueryCandidates[],
  options: SubmitOptions,
): Promise<Submitted> {
  const { name, settings, shardTokens = 65_536, tries = 5, priority = 'normal' } = options;
  checkJobName(name);
  checkOptions('submit()', { shardTokens, tries, priority }, submitRules);
  const waiting = queries.filter(({ documents }) => documents.length > 0);
  if (waiting.length === 0) throw new ZrankError('DATA_INVALID', 'no query has a document to score');
  const manifest = await storeShards(store, waiting, { name, settings, shardTokens });
  const missing = await withoutResult(store, manifest);
  await forgetFinished(queue, new Set(missing.map(({ id }) => jobId(name, id))));
  const opts: JobsOptions = {
    attempts: tries,
    backoff: { type: 'exponential', delay: 1000 },
    priority: priorities[priority],
    removeOnComplete: { count: keptRecords },
  };
  for (let start = 0; start < missing.length; start += bulkSize)
    await queue.addBulk(
      missing.slice(start, start + bulkSize).map((shard) => ({
        name,
        data: { job: name, store: store.location, settings, shard } satisfies ShardJob,
        opts: { ...opts, jobId: jobId(name, shard.id) },
      })),
    );
  return { manifest, queued: missing.length };
}

const submitRules = {
  shardTokens: aPositiveInteger,
  tries: aPositiveInteger,
  priority: oneOf('low', 'normal', 'high'),
};

export function jobId(job: string, shard: string): string {
  return `${job}-${shard}`;
}

/** The manifest is written last: where it is, all texts are. */
async function storeShards(
  store: ObjectStore,
  queries: readonly QueryCandidates[],
  { name, settings, shardTokens }: Required<Pick<SubmitOptions, 'name' | 'settings' | 'shardTokens'>>,
): Promise<Manifest> {
  const present = await findManifest(store, name);
  const shards: ShardEntry[] = [];
  for (const { queries: members, tokens } of planShards(queries, shardTokens)) {
    const { id, bytes } = makeShard(members, settings);
    const pairs = members.reduce((sum, { documents }) => sum + documents.length, 0);
    if (present === undefined) await store.put(keys.shard(name, id), bytes);
    shards.push({ id, queries: members.length, pairs, tokens });
  }
  const manifest: Manifest = { format: 1, name, zrank: version, settings, shards };
  if (present === undefined) {
    await store.put(keys.manifest(name), Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
    return manifest;
  }
  if (JSON.stringify(present.shards) !== JSON.stringify(shards))
    throw new ZrankError(
      'DATA_INVALID',
      `${store.location} has a job ${name} of other texts or settings: give this one another name`,
    );
  return present;
}

/** Reads only the results that there are. */
async function withoutResult(store: ObjectStore, { name, shards }: Manifest): Promise<ShardEntry[]> {
  const present = new Set(await store.list(`${name}/results/`));
  const missing: ShardEntry[] = [];
  for (const shard of shards) {
    const key = keys.result(name, shard.id);
    const isThere = present.has(`${shard.id}.jsonl`) && isResultOf(shard, await store.get(key));
    if (!isThere) missing.push(shard);
  }
  return missing;
}

/** BullMQ takes no job whose id it knows: records of shards that are to be computed once more would keep them out. */
async function forgetFinished(queue: Queue, ids: ReadonlySet<string>): Promise<void> {
  for (const job of await queue.getJobs(['completed', 'failed']))
    if (job?.id !== undefined && ids.has(job.id)) await job.remove();
}
