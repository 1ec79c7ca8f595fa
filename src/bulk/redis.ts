import { setTimeout as wait } from 'node:timers/promises';
import { Queue, type QueueOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { ZrankError } from '../error.js';
import { version } from '../package.js';

/** A server that does not answer is waited for so long; later on, workers wait for theirs to come back. */
const connectMs = 5000;

/** A queue of Redis or Valkey, and where the jobs in it have their stores. */
export class BulkQueue implements AsyncDisposable {
  readonly queue: Queue;
  readonly connection: Redis;
  readonly telemetry: QueueOptions['telemetry'];
  readonly #stores: string;

  private constructor(name: string, connection: Redis, telemetry: QueueOptions['telemetry']) {
    this.connection = connection;
    this.telemetry = telemetry;
    this.queue = new Queue(name, { connection, telemetry });
    // What a server that is away makes of a call, the call says.
    this.queue.on('error', () => {});
    this.#stores = `zrank:${name}:stores`;
  }

  /**
   * Spans of OpenTelemetry lead from who submits to who computes where the package bullmq-otel is installed.
   *
   * @param url as in redis://user:password@host:6379/0
   * @throws ZrankError REDIS_UNREACHABLE
   */
  static async open(url: string, name: string): Promise<BulkQueue> {
    const connection = new Redis(url, {
      connectTimeout: connectMs,
      maxRetriesPerRequest: null,
      retryStrategy: (times) => Math.min(2000, 100 * times),
    });
    let failure: unknown;
    connection.on('error', (error: unknown) => (failure = error));
    const tooLate = new AbortController();
    try {
      await Promise.race([
        connection.ping(),
        wait(connectMs, undefined, { signal: tooLate.signal }).then(() => {
          throw failure ?? new Error(`nothing for ${connectMs / 1000} seconds`);
        }),
      ]);
    } catch (cause) {
      connection.disconnect();
      const { message, code } = cause as Error & { code?: string };
      throw new ZrankError('REDIS_UNREACHABLE', `no Redis answers at ${hide(url)}: ${message || code}`, { cause });
    } finally {
      tooLate.abort();
    }
    return new BulkQueue(name, connection, await openTelemetry());
  }

  async rememberStore(job: string, location: string): Promise<void> {
    await this.connection.hset(this.#stores, job, location);
  }

  /** @throws ZrankError JOB_NOT_FOUND, which names those that there are */
  async storeOf(job: string): Promise<string> {
    const location = await this.connection.hget(this.#stores, job);
    if (location !== null) return location;
    const known = await this.jobs();
    throw new ZrankError(
      'JOB_NOT_FOUND',
      `the queue ${this.queue.name} knows no bulk job ${job}; it knows ${known.join(', ') || 'none'}`,
    );
  }

  async jobs(): Promise<string[]> {
    return (await this.connection.hkeys(this.#stores)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queue.close();
    this.connection.disconnect();
  }
}

async function openTelemetry(): Promise<QueueOptions['telemetry']> {
  const otel = await import('bullmq-otel').catch(() => undefined);
  return otel && new otel.BullMQOtel({ tracerName: 'zrank', version });
}

/** Without a password. */
function hide(url: string): string {
  return url.replace(/:[^:@/]*@/, ':…@');
}
