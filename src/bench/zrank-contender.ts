import { Reranker, type LoadOptions } from '../index.js';
import { closedLoop, type Contender, type Timing } from './contender.js';
import type { RunSettings } from './settings.js';
import type { Call } from './workload.js';

/** zrank in this process, through its public API. */
export class ZrankContender implements Contender {
  readonly name = 'zrank';
  readonly versions = {};
  readonly reranker: Reranker;
  readonly loadSeconds: number;

  private constructor(reranker: Reranker, loadSeconds: number) {
    this.reranker = reranker;
    this.loadSeconds = loadSeconds;
  }

  static async load({
    model,
    device,
    precision,
    attention,
    gatedUnits,
    products,
    workers,
    threads,
    maxBatchTokens,
  }: RunSettings): Promise<ZrankContender> {
    // Reranker.load() checks what the command line gave for the first five.
    const options: LoadOptions = {
      device: device as NonNullable<LoadOptions['device']>,
      precision: precision as NonNullable<LoadOptions['precision']>,
      attention: attention as NonNullable<LoadOptions['attention']>,
      gatedUnits: gatedUnits as NonNullable<LoadOptions['gatedUnits']>,
      products: products as NonNullable<LoadOptions['products']>,
      threads,
      ...(workers !== null && { workers }),
      ...(maxBatchTokens !== null && { maxBatchTokens }),
    };
    const start = performance.now();
    const reranker = await Reranker.load(model, options);
    return new ZrankContender(reranker, (performance.now() - start) / 1000);
  }

  run(calls: readonly Call[], concurrency: number): Promise<Timing> {
    return closedLoop(calls, concurrency, (call) => this.#score(call));
  }

  async #score({ requests, pairs }: Call): Promise<number[]> {
    const [request, ...others] = requests;
    if (request === undefined || others.length > 0) return [...(await this.reranker.predict(pairs))];
    const logits: number[] = [];
    for (const hit of await this.reranker.rank(request.query, request.documents)) logits[hit.index] = hit.logit;
    return logits;
  }

  close(): Promise<void> {
    return this.reranker.close();
  }
}
