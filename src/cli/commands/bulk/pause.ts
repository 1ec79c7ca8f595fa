import { defineCommand } from '../../command.js';
import { log } from '../../output.js';
import { openQueue, queueOptions } from './queue.js';

export const command = defineCommand({
  options: queueOptions,
  async run(values) {
    await using bulk = await openQueue(values);
    await bulk.queue.pause();
    log(`${bulk.queue.name} is paused: shards at hand are finished, no more are given out`);
    return undefined;
  },
});
