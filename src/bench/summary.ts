import type { RunReport } from './result.js';
import type { Lengths } from './scenario.js';
import type { RunSettings } from './settings.js';

/** A run as lines of text. */
export function summarize({ result, meanPromptTokens, scoreDifferences, unavailable }: RunReport): string {
  const { latencyMs, machine, settings, invariance } = result;
  const rows: [string, string][] = [
    [
      'model',
      `${settings.shape === null ? settings.model : `${settings.shape}, random weights`}; ${settings.precision}`,
    ],
    [
      'throughput',
      `${number(result.pairsPerSecond)} pairs/s, ${number(result.tokensPerSecond)} tokens/s, ` +
        `${number(result.computedTokensPerSecond)} computed tokens/s`,
    ],
    [
      'a call',
      `p50 ${number(latencyMs.p50)} ms, p95 ${number(latencyMs.p95)} ms, p99 ${number(latencyMs.p99)} ms; ` +
        `${number(meanPromptTokens)} tokens a prompt`,
    ],
    ['tokens saved', `${number(result.tokensSaved)} by sharing; padding waste ${percent(result.paddingWaste)}`],
    [
      'FLOP utilisation',
      machine.gemmGflops === null
        ? 'not known'
        : `${percent(result.mfu)} of ${number(machine.gemmGflops)} GFLOP/s, ` +
          `the peak of bare ${machine.gemmPrecision} products here`,
    ],
    ['idle', `${percent(result.idle)} of the time no batch was computed`],
    [
      'memory',
      `${mebibytes(result.peakRssBytes)} peak RSS` +
        (machine.deviceMemoryBytes === null ? '' : `, ${mebibytes(machine.deviceMemoryBytes)} on the device`),
    ],
    ['load', `${number(result.loadSeconds)} s; event loop late by ${number(result.eventLoopDelayMs)} ms (p99)`],
    [
      'machine',
      `${machine.cpu}, ${machine.cores} cores, kernels: ${machine.cpuTarget}` +
        `${machine.gpu === null ? '' : `, ${machine.gpu}`}, ${machine.platform}`,
    ],
    [
      'versions',
      Object.entries(result.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
  ];
  for (const { name, pairsPerSecond, ratio } of result.against) {
    const difference = scoreDifferences[name];
    const agreement = difference === undefined ? '' : `; scores differ by at most ${difference.toPrecision(2)}`;
    rows.push([
      'against',
      pairsPerSecond === null
        ? unavailable[name]!
        : `${name}: ${number(pairsPerSecond)} pairs/s, zrank is ${ratio!.toFixed(2)}x${agreement}`,
    ]);
  }
  if (invariance !== undefined) {
    const { pairs, batchings, largestDifference, rankFlips } = invariance;
    rows.push([
      'invariance',
      `${pairs} pairs alone and in ${batchings} mixed batches: ` +
        `largest difference ${largestDifference.toPrecision(2)}, ${rankFlips} rank flips`,
    ]);
  }
  return [describeRun(settings), ...rows.map(([name, value]) => `  ${name.padEnd(16)} ${value}`)].join('\n');
}

/** A run's workload in a few words. */
export function describeRun({ scenario, documents, documentTokens, query, concurrency }: RunSettings): string {
  const length = describeLengths(documentTokens);
  return `${scenario}: ${documents} documents of ${length} tokens, ${query} query, concurrency ${concurrency}`;
}

export function describeLengths(lengths: Lengths): string {
  const [least, most] = 'uniform' in lengths ? lengths.uniform : [lengths.lognormal.min, lengths.lognormal.max];
  return least === most ? String(least) : `${least}-${most}`;
}

/** Three significant digits, and whole numbers from 100 on. */
export function number(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}

function mebibytes(bytes: number): string {
  return `${number(bytes / 2 ** 20)} MiB`;
}

/** null is a share that is not known. */
export function percent(share: number | null): string {
  return share === null ? '–' : `${(100 * share).toFixed(1)} %`;
}
