import { ZrankError } from '../error.js';
import { parseJson } from '../json.js';
import type { ScoringSettings } from './shard.js';
import type { ObjectStore } from './store.js';

/** What a job consists of, as its store has it. */
export interface Manifest {
  format: 1;
  name: string;
  /** The version of zrank that has submitted it. */
  zrank: string;
  settings: ScoringSettings;
  /** In the order of the queries. */
  shards: readonly ShardEntry[];
}

export interface ShardEntry {
  id: string;
  queries: number;
  pairs: number;
  /** Estimated (plan.ts). */
  tokens: number;
}

/** Names of objects in a store. */
export const keys = {
  manifest: (job: string) => `${job}/manifest.json`,
  shard: (job: string, id: string) => `${job}/shards/${id}.jsonl.gz`,
  result: (job: string, id: string) => `${job}/results/${id}.jsonl`,
};

/** @throws ZrankError INVALID_ARGUMENT for a name that cannot be one of a file, of Redis and of a URL */
export function checkJobName(name: string): void {
  if (!/^[a-zA-Z0-9][\w.-]{0,99}$/.test(name))
    throw ZrankError.argument('the name of the job', 'at most 100 letters, digits, dots, dashes and _', name);
}

/** @throws ZrankError JOB_NOT_FOUND, and what the store throws */
export async function readManifest(store: ObjectStore, job: string): Promise<Manifest> {
  checkJobName(job);
  const found = await findManifest(store, job);
  if (found !== undefined) return found;
  throw new ZrankError('JOB_NOT_FOUND', `there is no bulk job ${job} in ${store.location}`);
}

export async function findManifest(store: ObjectStore, job: string): Promise<Manifest | undefined> {
  const bytes = await store.get(keys.manifest(job));
  if (bytes === undefined) return undefined;
  const manifest = parseJson(bytes.toString(), keys.manifest(job)) as Manifest;
  if (manifest.format === 1) return manifest;
  throw new ZrankError('DATA_INVALID', `${keys.manifest(job)} is of another version of zrank`, {
    expected: 'format 1',
    received: `format ${manifest.format}`,
  });
}
