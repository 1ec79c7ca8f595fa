import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Counter, Histogram, Registry } from 'prom-client';
import type { Models } from './models.js';
import type { RequestRecord } from './record.js';

type Client = typeof import('prom-client');

/** Seconds; every other bound of text-embeddings-inference's. */
const durations = Array.from({ length: 18 }, (_, i) => 1e-4 * 2.25 ** i);

/** What /metrics tells, where prom-client is installed. Names of others are used where they mean the same. */
export class Metrics {
  readonly #registry: Registry;
  readonly #requests: Counter;
  readonly #truncated: Counter;
  readonly #seconds: Readonly<Record<'totalMs' | 'tokenizeMs' | 'queueMs' | 'computeMs', readonly Histogram[]>>;
  readonly #tei: Readonly<Record<'count' | 'success' | 'failure', Counter>>;
  readonly #eventLoop = monitorEventLoopDelay({ resolution: 20 });

  private constructor(client: Client, models: Promise<Models>) {
    const registry = new client.Registry();
    const registers = [registry];
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new client.Counter({ name, help, labelNames, registers });
    const histogram = (name: string, help: string) =>
      new client.Histogram({ name, help, buckets: durations, registers });
    this.#registry = registry;
    this.#requests = counter('zrank_requests_total', 'Requests by what became of them', ['dialect', 'status', 'model']);
    this.#truncated = counter('zrank_truncated_documents_total', 'Documents that were cut');
    this.#tei = {
      count: counter('te_request_count', 'Requests', ['method']),
      success: counter('te_request_success', 'Requests that were answered', ['method']),
      failure: counter('te_request_failure', 'Requests that failed, by why', ['err']),
    };
    this.#seconds = {
      totalMs: [
        histogram('te_request_duration', 'Seconds of a request'),
        histogram('vllm:e2e_request_latency_seconds', 'Seconds of a request'),
      ],
      tokenizeMs: [histogram('te_request_tokenization_duration', 'Seconds until a call was tokenized')],
      queueMs: [
        histogram('te_request_queue_duration', 'Seconds that a call waited for its first batch'),
        histogram('vllm:request_queue_time_seconds', 'Seconds that a call waited for its first batch'),
      ],
      computeMs: [histogram('te_request_inference_duration', 'Seconds from the first batch to the last score')],
    };
    this.#eventLoop.enable();
    this.#readModels(client, models);
  }

  static async open(models: Promise<Models>): Promise<Metrics | undefined> {
    const client = await import('prom-client').catch(() => undefined);
    return client && new Metrics(client.default ?? client, models);
  }

  answered({ dialect, status, model, path, failure, truncated = 0, totalMs, timing }: RequestRecord): void {
    if (dialect === undefined && failure === undefined) return;
    this.#requests.inc({ dialect: dialect ?? 'none', status, model: model ?? 'none' });
    // Of a path that does not exist, a stranger could make any number of labels.
    const method = dialect === undefined ? 'none' : path.slice(1);
    this.#tei.count.inc({ method });
    if (failure === undefined) this.#tei.success.inc({ method });
    else this.#tei.failure.inc({ err: failure });
    this.#truncated.inc(truncated);
    if (timing === undefined) return;
    for (const part of ['totalMs', 'tokenizeMs', 'queueMs', 'computeMs'] as const)
      for (const histogram of this.#seconds[part]) histogram.observe({ totalMs, ...timing }[part] / 1000);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  close(): void {
    this.#eventLoop.disable();
  }

  /** What is read from the engines and the process when it is asked for. */
  #readModels(client: Client, opening: Promise<Models>): void {
    let models: Models['all'] = [];
    opening.then(({ all }) => (models = all)).catch(() => {});
    type Model = Models['all'][number];
    const gauge = (name: string, help: string, value: (model: Model) => number) =>
      new client.Gauge({
        name,
        help,
        labelNames: ['model'],
        registers: [this.#registry],
        collect() {
          for (const model of models) if (!isClosed(model)) this.set({ model: model.name }, value(model));
        },
      });
    const stats = ({ reranker }: Model) => reranker.stats();
    const counters = ({ reranker }: Model) => reranker.counters();
    const waiting = (model: Model) => stats(model).waitingTokens;
    gauge('zrank_queue_tokens', 'Tokens that wait', waiting);
    gauge('te_queue_size', 'Tokens that wait', waiting);
    gauge('vllm:num_requests_running', 'Calls in flight', (model) => stats(model).callsInFlight);
    gauge('zrank_calls_refused_total', 'Calls that a full queue refused', (model) => stats(model).callsRefused);
    gauge('zrank_calls_aborted_total', 'Calls whose client had gone', (model) => stats(model).callsAborted);
    gauge('vllm:prompt_tokens_total', 'Tokens of all prompts', (model) => counters(model).tokens);
    gauge('zrank_saved_tokens_total', 'Prompt tokens that sharing saved', (model) => {
      const { tokens, computedTokens } = counters(model);
      return tokens - computedTokens;
    });
    gauge('zrank_cache_hits_total', 'Pairs whose score the cache had', (model) => stats(model).cacheHits);
    gauge('zrank_cache_misses_total', 'Pairs that the cache had no score of', (model) => stats(model).cacheMisses);
    gauge('zrank_batches_total', 'Batches that were run', (model) => counters(model).batches);
    gauge('zrank_batch_tokens', 'Computed tokens of a batch, on average', (model) => {
      const { batches, computedTokens } = counters(model);
      return batches === 0 ? 0 : computedTokens / batches;
    });
    gauge('zrank_run_seconds_total', 'Seconds in runs, summed over threads', (model) => counters(model).runSeconds);
    gauge(
      'zrank_not_finite_total',
      'Scores that were not finite and were computed again',
      (model) => counters(model).notFinite,
    );
    const eventLoop = this.#eventLoop;
    new client.Gauge({
      name: 'nodejs_eventloop_lag_p99_seconds',
      help: 'How late timers fire',
      registers: [this.#registry],
      collect() {
        this.set(eventLoop.percentile(99) / 1e9);
      },
    });
    new client.Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory',
      registers: [this.#registry],
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }
}

function isClosed({ reranker }: Models['all'][number]): boolean {
  try {
    reranker.counters();
    return false;
  } catch {
    return true;
  }
}
