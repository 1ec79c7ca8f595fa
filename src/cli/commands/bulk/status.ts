import type { BulkStatus } from '../../../bulk/status.js';
import { defineCommand } from '../../command.js';
import { print } from '../../output.js';
import { openQueue, queueOptions, storeOption } from './queue.js';
import { openStore } from './stores.js';

export const command = defineCommand({
  options: {
    name: { value: 'name', description: 'the name of the job (default: all of the queue)' },
    store: storeOption,
    json: { description: 'print one JSON array of jobs' },
    ...queueOptions,
  },
  async run({ name, store, json, ...values }) {
    await using bulk = await openQueue(values);
    const { readManifest } = await import('../../../bulk/manifest.js');
    const { bulkStatus } = await import('../../../bulk/status.js');
    const found: BulkStatus[] = [];
    for (const job of name === undefined ? await bulk.jobs() : [name]) {
      const folder = await openStore(store ?? (await bulk.storeOf(job)));
      found.push(await bulkStatus(bulk.queue, folder, await readManifest(folder, job)));
    }
    print(json ? found : found.map(describe).join(''));
  },
});

function describe({ name, shards, done, active, pairs, pairsDone, isPaused, aside, ...rate }: BulkStatus): string {
  const { pairsPerSecond, secondsLeft } = rate;
  const state = [
    `${active} being computed`,
    ...(aside.length > 0 ? [`${aside.length} set aside`] : []),
    ...(isPaused ? ['the queue is paused'] : []),
  ].join(', ');
  const speed =
    pairsPerSecond === undefined || done === shards
      ? ''
      : `  ${pairsPerSecond.toFixed(1)} pairs/s, about ${duration(secondsLeft!)} left\n`;
  const reasons = aside.map(({ shard, tries, reason }) => `  set aside after ${tries} tries: ${shard}: ${reason}\n`);
  return `${name}: ${done} of ${shards} shards, ${pairsDone} of ${pairs} pairs; ${state}\n${speed}${reasons.join('')}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
