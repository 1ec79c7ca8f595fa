import { definitions, renderPage, row, section, table } from '../report/page.js';
import { barPlot, linePlot, type Bar, type Plot, type Series } from '../report/plots.js';
import { escapeXml } from '../report/svg.js';
import type { RunReport } from './result.js';
import { describeLengths, number, percent } from './summary.js';

/** Beyond this factor between least and most, an axis is logarithmic. */
const logarithmicFrom = 8;

/** All runs as one HTML page that needs nothing else. There must be at least one. */
export function renderReport(reports: readonly RunReport[]): string {
  const { machine } = reports[0]!.result;
  const plots = [
    throughputByLength(reports),
    throughputByConcurrency(reports),
    ...comparison(reports),
    ...latencyDistributions(reports),
  ];
  return renderPage({
    title: 'zrank bench',
    heading: 'zrank bench',
    lead: escapeXml(`${modelName(reports[0]!)} on ${machine.gpu ?? machine.cpu}, ${machine.cores} cores`),
    tiles: tiles(reports),
    sections: [
      ...plots,
      section('Runs', '', runs(reports)),
      section('Machine and versions', '', definitions(details(reports))),
    ],
  });
}

/** A section with a line plot. */
function plotted(plot: Plot): string {
  return section(plot.title, '', linePlot(plot));
}

function modelName({ result: { settings } }: RunReport): string {
  return settings.shape === null ? settings.model : `${settings.shape}, random weights`;
}

/** Of the run of highest throughput. */
function tiles(reports: readonly RunReport[]): [value: string, name: string][] {
  const { result } = reports.reduce((best, report) =>
    report.result.tokensPerSecond > best.result.tokensPerSecond ? report : best,
  );
  return [
    [number(result.pairsPerSecond), 'pairs/s'],
    [number(result.tokensPerSecond), 'tokens/s'],
    [`${number(result.latencyMs.p50)} ms`, 'a call, p50'],
    [`${number(result.latencyMs.p95)} ms`, 'a call, p95'],
    [percent(result.mfu), 'of the GEMM peak'],
    [`${number(result.peakRssBytes / 2 ** 20)} MiB`, 'peak RSS'],
  ];
}

/** The workload apart from its concurrency, in a few words. */
function workload({ result: { settings } }: RunReport): string {
  return `${settings.scenario}, ${settings.query} query, ${describeLengths(settings.documentTokens)} tokens`;
}

function runName(report: RunReport): string {
  return `${workload(report)}, concurrency ${report.result.settings.concurrency}`;
}

function throughputByLength(reports: readonly RunReport[]): string {
  const series = group(
    reports,
    ({ result: { settings } }) => `concurrency ${settings.concurrency}`,
    (report) => ({
      x: Math.round(report.meanPromptTokens),
      y: report.result.tokensPerSecond,
      label:
        `${workload(report)}: ${number(report.result.tokensPerSecond)} tokens/s, ` +
        `${number(report.result.pairsPerSecond)} pairs/s`,
    }),
  );
  return plotted({
    title: 'Throughput by length',
    xLabel: 'tokens of a prompt, mean',
    yLabel: 'tokens/s',
    series,
    xScale: scaleFor(series),
    dots: true,
  });
}

function throughputByConcurrency(reports: readonly RunReport[]): string {
  const series = group(reports, workload, (report) => ({
    x: report.result.settings.concurrency,
    y: report.result.pairsPerSecond,
    label: `${runName(report)}: ${number(report.result.pairsPerSecond)} pairs/s`,
  }));
  return plotted({
    title: 'Throughput by concurrency',
    xLabel: 'calls in flight',
    yLabel: 'pairs/s',
    series,
    xScale: 'points',
    dots: true,
  });
}

/** A plot a workload where runs differ in concurrency, else one for all. */
function latencyDistributions(reports: readonly RunReport[]): string[] {
  const concurrencies = new Set(reports.map(({ result }) => result.settings.concurrency));
  if (concurrencies.size === 1) return [latencyDistribution('Latency distribution', reports, workload)];
  const workloads = [...new Set(reports.map(workload))];
  return workloads.map((name) =>
    latencyDistribution(
      `Latency distribution: ${name}`,
      reports.filter((report) => workload(report) === name),
      ({ result }) => `concurrency ${result.settings.concurrency}`,
    ),
  );
}

/** The share of calls that took no longer than x, a step a call. */
function latencyDistribution(
  title: string,
  reports: readonly RunReport[],
  name: (report: RunReport) => string,
): string {
  const series = reports.map((report): Series => {
    const sorted = [...report.latenciesMs].sort((a, b) => a - b);
    const steps = sorted.flatMap((x, i) =>
      [i, i + 1].map((rank) => ({ x, y: (100 * rank) / sorted.length, label: '' })),
    );
    return { name: name(report), points: steps };
  });
  return plotted({
    title,
    xLabel: 'milliseconds of a call',
    yLabel: '% of calls',
    series,
    xScale: scaleFor(series),
    yMax: 100,
    dots: false,
  });
}

function comparison(reports: readonly RunReport[]): string[] {
  const bars = reports.flatMap((report): Bar[] => {
    const { against, pairsPerSecond } = report.result;
    const present = against.filter((other) => other.pairsPerSecond !== null);
    if (present.length === 0) return [];
    const row = (name: string, value: number, ratio: number | null): Bar => ({
      group: runName(report),
      name,
      value,
      label: `${number(value)} pairs/s${ratio === null ? '' : ` (zrank ${ratio.toFixed(2)}x)`}`,
    });
    return [
      row('zrank', pairsPerSecond, null),
      ...present.map((other) => row(other.name, other.pairsPerSecond!, other.ratio)),
    ];
  });
  return bars.length === 0 ? [] : [section('Against others', '', barPlot('Against others', bars))];
}

function runs(reports: readonly RunReport[]): string {
  const columns: [string, (report: RunReport) => string][] = [
    ['run', (report) => escapeXml(runName(report))],
    ['pairs/s', ({ result }) => number(result.pairsPerSecond)],
    ['tokens/s', ({ result }) => number(result.tokensPerSecond)],
    ['computed/s', ({ result }) => number(result.computedTokensPerSecond)],
    ['p50 ms', ({ result }) => number(result.latencyMs.p50)],
    ['p95 ms', ({ result }) => number(result.latencyMs.p95)],
    ['p99 ms', ({ result }) => number(result.latencyMs.p99)],
    ['saved', ({ result }) => number(result.tokensSaved)],
    ['padding', ({ result }) => percent(result.paddingWaste)],
    ['MFU', ({ result }) => percent(result.mfu)],
    ['RSS MiB', ({ result }) => number(result.peakRssBytes / 2 ** 20)],
    ['load s', ({ result }) => number(result.loadSeconds)],
    ['loop ms', ({ result }) => number(result.eventLoopDelayMs)],
  ];
  return table(
    columns.map(([name]) => name),
    reports.map((report) => row(columns.map(([, cell]) => cell(report)))),
  );
}

function details(reports: readonly RunReport[]): [name: string, value: string][] {
  const { machine, settings } = reports[0]!.result;
  const versions: Record<string, string> = Object.assign({}, ...reports.map(({ result }) => result.versions));
  return [
    [
      'processor',
      `${machine.cpu}, ${machine.cores} cores, ${number(machine.memoryBytes / 2 ** 30)} GiB, ${machine.platform}`,
    ],
    ['kernels', machine.cpuTarget],
    ...(machine.gpu === null ? [] : [['GPU', machine.gpu] as [string, string]]),
    [
      'GEMM peak',
      machine.gemmGflops === null
        ? 'not measured'
        : `${number(machine.gemmGflops)} GFLOP/s in ${machine.gemmPrecision}`,
    ],
    [
      'device, precision',
      `${settings.device}, ${settings.precision}; ` +
        `${settings.threads} threads, workers: ${settings.workers ?? 'default'}`,
    ],
    [
      'calls',
      `${settings.calls} of ${settings.documents} documents, after ${settings.warmups} warm-ups; seed ${settings.seed}`,
    ],
    [
      'versions',
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ...unavailable(reports),
  ];
}

function unavailable(reports: readonly RunReport[]): [string, string][] {
  const reasons = new Set(reports.flatMap((report) => Object.values(report.unavailable)));
  return [...reasons].map((reason) => ['not compared', reason]);
}

function group(
  reports: readonly RunReport[],
  key: (report: RunReport) => string,
  point: (report: RunReport) => Series['points'][number],
): Series[] {
  const series = new Map<string, Series>();
  for (const report of reports) {
    const name = key(report);
    if (!series.has(name)) series.set(name, { name, points: [] });
    series.get(name)!.points.push(point(report));
  }
  for (const { points } of series.values()) points.sort((a, b) => a.x - b.x);
  return [...series.values()];
}

function scaleFor(series: readonly Series[]): 'linear' | 'log' {
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  return Math.max(...xs) > logarithmicFrom * Math.min(...xs) ? 'log' : 'linear';
}
