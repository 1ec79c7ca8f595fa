import { setTimeout as wait } from 'node:timers/promises';
import type { Job, Worker } from 'bullmq';
import type { BulkQueue } from '../../../bulk/redis.js';
import type { ShardJob, ShardReport } from '../../../bulk/submit.js';
import type { ZrankError } from '../../../error.js';
import { defineCommand, positiveInteger } from '../../command.js';
import { modelOption, placementOptions, pullOption } from '../../model-options.js';
import { locateReranker } from '../../models.js';
import { log } from '../../output.js';
import { openQueue, queueOptions, storeOption } from './queue.js';
import { openStore } from './stores.js';

const emptyCheckMs = 500;

export const command = defineCommand({
  description:
    'Runs until SIGTERM, at which the shard at hand is finished. The job says in which precision and with which prompt; ' +
    'a worker that has another model gives the shard back, and ends with exit code 1.',
  options: {
    ...queueOptions,
    store: { ...storeOption, description: `${storeOption.description}: what this machine calls it` },
    untilEmpty: { description: 'end when the queue is empty and no other worker computes' },
    stalledAfter: {
      value: 'seconds',
      description: "time without a sign of life after which a worker's shard is given to another",
      parse: positiveInteger,
      default: 30,
    },
    tries: {
      value: 'n',
      description: 'workers that may die of a shard before it is set aside',
      parse: positiveInteger,
      default: 5,
    },
    model: modelOption,
    device: placementOptions.device,
    threads: { ...placementOptions.threads, description: 'CPU threads; they share one batch' },
    pull: pullOption,
  },
  async run({ store, untilEmpty, stalledAfter, tries, model, device, threads, pull, ...values }) {
    await using bulk = await openQueue(values);
    const { Worker } = await import('bullmq');
    const { createProcessor } = await import('../../../bulk/processor.js');
    const { Scorer } = await import('../../../bulk/scorer.js');
    const located = await locateReranker(model, { pull });
    const scorer = await Scorer.open(located.folder, { device, threads }, located.name);
    const end = ending();
    const connection = bulk.connection.duplicate({ lazyConnect: false });
    const worker: Worker<ShardJob, ShardReport> = new Worker(
      bulk.queue.name,
      createProcessor({
        scorer,
        openStore: (location) => openStore(store ?? location),
        onRefusal: end.refused,
        onStoreFailure: (reason) => log(`waiting for the store: ${(reason as Error).message}`),
      }),
      {
        connection,
        telemetry: bulk.telemetry,
        lockDuration: 1000 * stalledAfter,
        stalledInterval: 1000 * stalledAfter,
        maxStalledCount: tries - 1,
      },
    );
    report(worker);
    log(`working on ${bulk.queue.name} with ${located.name} (${scorer.model.hash})`);
    const isOver = new AbortController();
    if (untilEmpty) untilQueueIsEmpty(bulk, isOver.signal).then(end.resolve, () => {});
    const reason = await end.promise;
    isOver.abort();
    await worker.close();
    // BullMQ leaves open what it was given.
    connection.disconnect();
    await scorer.close();
    if (reason !== undefined) throw reason;
    log('stopped');
    return undefined;
  },
});

/** Why the worker ends: a reason to fail, or none. The first signal lets it finish its shard, the second does not. */
function ending(): {
  promise: Promise<ZrankError | undefined>;
  resolve: () => void;
  refused: (reason: ZrankError) => void;
} {
  let resolve!: (reason: ZrankError | undefined) => void;
  const promise = new Promise<ZrankError | undefined>((settle) => (resolve = settle));
  let isStopping = false;
  for (const [signal, number] of [
    ['SIGTERM', 15],
    ['SIGINT', 2],
  ] as const)
    process.on(signal, () => {
      if (isStopping) process.exit(128 + number);
      isStopping = true;
      log('stopping: the shard at hand is finished');
      resolve(undefined);
    });
  return { promise, resolve: () => resolve(undefined), refused: resolve };
}

/** A line a shard, and one when the server is gone or comes back. */
function report(worker: Worker<ShardJob, ShardReport>): void {
  const name = ({ data }: Job<ShardJob>) => `${data.job}: shard ${data.shard.id}`;
  worker.on('completed', (job, { pairs, tokens, reused }) => {
    const seconds = ((job.finishedOn ?? Date.now()) - (job.processedOn ?? 0)) / 1000;
    log(`${name(job)}: ${reused ? 'was there' : `${pairs} pairs, about ${tokens} tokens, in ${seconds.toFixed(1)} s`}`);
  });
  worker.on('failed', (job, error) => {
    if (job !== undefined) log(`${name(job)}: try ${job.attemptsMade} failed: ${error.message}`);
  });
  worker.on('stalled', (id) => log(`${id}: its worker gave no sign of life; queued again`));
  let isAway = false;
  worker.on('error', (error) => {
    if (!isAway) log(`the server or the queue: ${error.message}`);
    isAway = true;
  });
  worker.on('ready', () => (isAway = false));
  worker.on('completed', () => (isAway = false));
}

async function untilQueueIsEmpty({ queue }: BulkQueue, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const counts = await queue.getJobCounts('wait', 'prioritized', 'delayed', 'active');
    if (Object.values(counts).every((count) => count === 0)) return;
    await wait(emptyCheckMs, undefined, { signal });
  }
}
