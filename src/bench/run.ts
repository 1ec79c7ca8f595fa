import { monitorEventLoopDelay } from 'node:perf_hooks';
import { median, quantile } from 'simple-statistics';
import { ZrankError } from '../error.js';
import type { EngineCounters } from '../index.js';
import { splitThreads } from '../runtime/engine.js';
import type { Contender, Timing } from './contender.js';
import { readNetwork, modelFlops } from './flops.js';
import { GemmPeak } from './gemm-peak.js';
import { measureInvariance } from './invariance.js';
import { describeMachine, ownVersions } from './machine.js';
import { PeerProcess } from './peer-process.js';
import type { BenchResult, OpponentResult, RunReport } from './result.js';
import { ServerContender } from './server-contender.js';
import { isUrl, type Log, type RunSettings, type Secrets } from './settings.js';
import { makeCalls, type Call } from './workload.js';
import { ZrankContender } from './zrank-contender.js';

/** Milliseconds between two looks at the event loop. */
const delayResolution = 2;
/** Runs of the bare matrix products before and after the calls, beside one after each block. */
const gemmSamples = 10;

/** One block of calls, run by one contender after the other. */
interface Block {
  calls: readonly Call[];
  zrank: Timing;
  /** Of each opponent. */
  others: Timing[];
}

/** Carries out a run in this process: loads everything, warms up, measures. */
export async function run(settings: RunSettings, secrets: Secrets, log: Log): Promise<RunReport> {
  const calls = await makeCalls(settings.model, { ...settings, calls: settings.warmups + settings.calls });
  const zrank = await ZrankContender.load(settings);
  // The others run where zrank does.
  const { device, precision, attention, gatedUnits = 'plain', products = 'plain' } = zrank.reranker.placement;
  const chosen = { ...settings, device, precision, attention, gatedUnits, products };
  const { opponents, unavailable } = await openOpponents(chosen, secrets, log);
  try {
    return await measure(chosen, calls, zrank, opponents, unavailable, log);
  } finally {
    await Promise.all([zrank, ...opponents].map((contender) => contender.close()));
  }
}

/** `settings` name what zrank chose. */
async function measure(
  settings: RunSettings,
  calls: readonly Call[],
  zrank: ZrankContender,
  opponents: readonly Contender[],
  unavailable: Record<string, string>,
  log: Log,
): Promise<RunReport> {
  const made = await warmUp(settings, calls, [zrank, ...opponents], log);
  const timed = calls.slice(made.warmups, made.warmups + made.calls);

  const peak = await openPeak(settings, log);
  const before = zrank.reranker.counters();
  const { blocks, delays } = await runBlocks(settings, timed, zrank, opponents, peak, log);
  const after = zrank.reranker.counters();
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  await peak?.sample(gemmSamples);
  await peak?.close();
  const invariance = settings.invariance ? await measureInvariance(zrank.reranker, calls, settings.seed) : undefined;

  const seconds = sum(blocks.map((block) => block.zrank.seconds));
  const pairs = sum(timed.map((call) => call.pairs.length));
  const latenciesMs = blocks.flatMap((block) => block.zrank.latencies.map((latency) => latency * 1000));
  const engine = difference(before, after);
  const sequenceTokens = timed.flatMap((call) => call.promptTokens);
  const network = await readNetwork(settings.model);
  const flops = network && modelFlops(network, { computedTokens: engine.computedTokens, sequenceTokens }) / seconds;
  const result: BenchResult = {
    scenario: settings.scenario,
    pairsPerSecond: pairs / seconds,
    tokensPerSecond: engine.tokens / seconds,
    computedTokensPerSecond: engine.computedTokens / seconds,
    latencyMs: { p50: quantile(latenciesMs, 0.5), p95: quantile(latenciesMs, 0.95), p99: quantile(latenciesMs, 0.99) },
    idle: Math.max(0, 1 - engine.computeSeconds / (seconds * parallelBatches(settings))),
    paddingWaste: Math.max(0, 1 - engine.tokens / engine.paddedTokens),
    tokensSaved: Math.max(0, engine.tokens - engine.computedTokens),
    flops,
    mfu: flops && peak ? flops / peak.flops : null,
    peakRssBytes,
    loadSeconds: zrank.loadSeconds,
    eventLoopDelayMs: quantile(delays, 0.99),
    against: opponentResults(settings.against, blocks, opponents),
    machine: await describeMachine(settings.device, peak),
    versions: Object.assign({}, ownVersions(), ...opponents.map(({ versions }) => versions)),
    settings: { ...settings, ...made },
    ...(invariance !== undefined && { invariance }),
  };
  return {
    result,
    latenciesMs,
    meanPromptTokens: sum(sequenceTokens) / sequenceTokens.length,
    scoreDifferences: scoreDifferences(blocks, opponents),
    unavailable,
  };
}

/** Share of the time for all calls in which warm-up calls begin. */
const warmUpShare = 0.25;
/** Whatever the time. */
const leastCalls = 3;

/** Runs the warm-up calls, as many as there is time for, and says how many timed ones there is time for after them. */
async function warmUp(
  { warmups, calls: most, concurrency, seconds }: RunSettings,
  calls: readonly Call[],
  contenders: readonly Contender[],
  log: Log,
): Promise<Pick<RunSettings, 'warmups' | 'calls'>> {
  const allowed = seconds ?? Infinity;
  let done = 0;
  let spent = 0;
  let secondsPerCall = 0;
  while (done < warmups && spent <= allowed * warmUpShare) {
    const block = calls.slice(done, Math.min(done + concurrency, warmups));
    const before = spent;
    for (const contender of contenders) spent += (await contender.run(block, concurrency)).seconds;
    done += block.length;
    secondsPerCall = (spent - before) / block.length;
  }
  const fitting = secondsPerCall > 0 ? Math.floor((allowed - spent) / secondsPerCall) : most;
  const timed = Math.min(most, Math.max(fitting, leastCalls, concurrency));
  if (done > 0) log(`${done} warm-up calls; ${timed} timed ones take about ${Math.ceil(timed * secondsPerCall)} s`);
  return { warmups: done, calls: timed };
}

/** undefined, and said, where the onnxruntime-node that measures it cannot use the device. */
async function openPeak({ device, precision, threads }: RunSettings, log: Log): Promise<GemmPeak | undefined> {
  try {
    const peak = await GemmPeak.open(device, precision, threads);
    await peak.sample(gemmSamples);
    return peak;
  } catch (error) {
    log(`the peak of matrix products is not measured: ${(error as Error).message.split('\n')[0]}`);
    return undefined;
  }
}

/** How many batches are computed at once: one a GPU, one a worker of the CPU. */
function parallelBatches({ device, workers, threads }: RunSettings): number {
  return device === 'cpu'
    ? splitThreads({ threads, ...(workers !== null && { workers }) }).workers
    : device.split(',').length;
}

/** Opens everything that zrank is compared with; what cannot run is said and left out. */
async function openOpponents(settings: RunSettings, secrets: Secrets, log: Log) {
  const opponents: Contender[] = [];
  const unavailable: Record<string, string> = {};
  for (const name of settings.against) {
    try {
      opponents.push(
        isUrl(name) ? await ServerContender.open(name, settings, secrets, log) : await PeerProcess.open(name, settings),
      );
    } catch (error) {
      if (!(error instanceof ZrankError) || error.code !== 'PEER_UNAVAILABLE') throw error;
      log(error.message);
      unavailable[name] = error.message;
    }
  }
  return { opponents, unavailable };
}

/**
 * Runs the calls. Alone, zrank is kept at its concurrency throughout; beside others, as many calls as are in flight at
 * once form a block, which each contender runs in turn, so that all see the machine in the same state. Who begins
 * changes from block to block.
 */
async function runBlocks(
  settings: RunSettings,
  calls: readonly Call[],
  zrank: ZrankContender,
  opponents: readonly Contender[],
  peak: GemmPeak | undefined,
  log: Log,
) {
  const { concurrency } = settings;
  const size = opponents.length > 0 ? concurrency : calls.length;
  const blocks: Block[] = [];
  const delays: number[] = [];
  for (let start = 0; start < calls.length; start += size) {
    const block = calls.slice(start, start + size);
    const timings = new Map<Contender, Timing>();
    for (const contender of rotate([zrank, ...opponents], blocks.length)) {
      timings.set(
        contender,
        contender === zrank
          ? await watched(() => zrank.run(block, concurrency), delays)
          : await contender.run(block, concurrency),
      );
    }
    await peak?.sample(1);
    blocks.push({
      calls: block,
      zrank: timings.get(zrank)!,
      others: opponents.map((opponent) => timings.get(opponent)!),
    });
    const rates = [...timings].map(
      ([{ name }, { seconds }]) => `${name} ${(sum(block.map((call) => call.pairs.length)) / seconds).toFixed(2)}`,
    );
    log(`${Math.min(start + size, calls.length)} of ${calls.length} calls: ${rates.join(', ')} pairs/s`);
  }
  return { blocks, delays };
}

/** Runs `work` and adds to `delays` how many milliseconds late the event loop was meanwhile, by percentile. */
async function watched(work: () => Promise<Timing>, delays: number[]): Promise<Timing> {
  const histogram = monitorEventLoopDelay({ resolution: delayResolution });
  histogram.enable();
  const timing = await work();
  histogram.disable();
  // The histogram holds the intervals between two looks.
  for (let percentile = 0.5; percentile < 100; percentile++) {
    delays.push(histogram.count === 0 ? 0 : Math.max(0, histogram.percentile(percentile) / 1e6 - delayResolution));
  }
  return timing;
}

function opponentResults(
  names: readonly string[],
  blocks: readonly Block[],
  opponents: readonly Contender[],
): OpponentResult[] {
  return names.map((name) => {
    const k = opponents.findIndex((opponent) => opponent.name === name);
    if (k < 0) return { name, pairsPerSecond: null, ratio: null };
    const pairs = sum(blocks.flatMap((block) => block.calls.map((call) => call.pairs.length)));
    return {
      name,
      pairsPerSecond: pairs / sum(blocks.map((block) => block.others[k]!.seconds)),
      ratio: median(blocks.map((block) => block.others[k]!.seconds / block.zrank.seconds)),
    };
  });
}

function scoreDifferences(blocks: readonly Block[], opponents: readonly Contender[]): Record<string, number> {
  const differences: Record<string, number> = {};
  opponents.forEach(({ name }, k) => {
    for (const { zrank, others } of blocks) {
      const theirs = others[k]!.logits?.flat();
      const ours = zrank.logits!.flat();
      theirs?.forEach((logit, i) => (differences[name] = Math.max(differences[name] ?? 0, Math.abs(logit - ours[i]!))));
    }
  });
  return differences;
}

function difference(before: EngineCounters, after: EngineCounters) {
  return {
    tokens: after.tokens - before.tokens,
    computedTokens: after.computedTokens - before.computedTokens,
    paddedTokens: after.paddedTokens - before.paddedTokens,
    computeSeconds: after.computeSeconds - before.computeSeconds,
  };
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
