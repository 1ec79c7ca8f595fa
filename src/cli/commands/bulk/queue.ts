import { ZrankError } from '../../../error.js';
import type { BulkQueue } from '../../../bulk/redis.js';
import type { OptionValues } from '../../command.js';

const group = 'Queue';

/** Where the shards wait. */
export const queueOptions = {
  redis: {
    value: 'url',
    description: 'the server, Redis 6.2 or later or Valkey (default: ZRANK_REDIS_URL, else redis://127.0.0.1:6379)',
    group,
  },
  queue: {
    value: 'name',
    description: 'the queue; all its workers have the same model',
    default: 'zrank-bulk',
    group,
  },
} as const;

export const nameOption = { value: 'name', description: 'the name of the job', required: true } as const;

export const storeOption = {
  value: 'place',
  description: 'where the texts and results lie, if not where the job was submitted with',
} as const;

/** @throws ZrankError PACKAGE_NOT_FOUND, REDIS_UNREACHABLE, INVALID_ARGUMENT */
export async function openQueue({ redis, queue }: OptionValues<typeof queueOptions>): Promise<BulkQueue> {
  const url = redis ?? process.env['ZRANK_REDIS_URL'] ?? 'redis://127.0.0.1:6379';
  if (!/^rediss?:\/\//.test(url))
    throw ZrankError.argument('--redis', 'a URL that begins with redis:// or rediss://', url);
  if (queue === '' || queue.includes(':')) throw ZrankError.argument('--queue', 'a name without a colon', queue);
  for (const name of ['bullmq', 'ioredis'])
    await import(name).catch((cause: unknown) => {
      throw new ZrankError('PACKAGE_NOT_FOUND', `zrank bulk needs the package ${name}: npm install bullmq ioredis`, {
        cause,
      });
    });
  const { BulkQueue } = await import('../../../bulk/redis.js');
  return BulkQueue.open(url, queue);
}
