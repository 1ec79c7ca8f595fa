import { number, percent } from '../../dist/bench/summary.js';

/** A result of check.sh as a section of docs/performance.md. */
export function writeTable(report) {
  const { gpu, settings, steps } = report;
  const title = settings.dryRun
    ? `Dry run (${settings.device}): these figures mean nothing`
    : (gpu?.name ?? settings.device);
  const undone = Object.entries(steps).filter(([, standing]) => standing !== 'done');
  const sections = [
    `### ${title}`,
    `The shape of ${settings.shape}, random weights; ${versions(report)}.`,
    ...[targets, parity, rerank, attention, batchTokens, gemm, latency, kernels].flatMap(
      (section) => section(report) ?? [],
    ),
    undone.length === 0 ? [] : undone.map(([step, standing]) => `- ${step}: ${standing}`).join('\n'),
  ];
  return `${sections.flat().join('\n\n')}\n`;
}

function versions({ versions: found }) {
  return (
    Object.entries(found)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ') || 'no versions known'
  );
}

function targets({ targets: list }) {
  if (list.length === 0) return;
  return table(
    ['target', 'wanted', 'found', 'met'],
    list.map(({ name, limit, value, met }) => [
      name,
      figure(limit),
      figure(value),
      met === null ? 'not measured' : met ? 'yes' : '**no**',
    ]),
  );
}

function parity({ parity: found }) {
  if (found === null) return;
  const { pairs, tokens, spread, deviations } = found;
  const heading = `Logits of ${pairs} pairs of ${tokens.least} to ${tokens.most} tokens against PyTorch's in fp32`;
  if (deviations.length === 0) return `${heading}: not measured.`;
  return [
    `${heading}; their standard deviation is ${figure(spread)}.`,
    table(
      ['', 'computed in', 'largest deviation', 'mean', 'not finite'],
      deviations.map(({ name, precision, largest, mean, notFinite }) => [
        name,
        precision,
        figure(largest),
        figure(mean),
        notFinite,
      ]),
    ),
  ];
}

function rerank({ rerank: results }) {
  if (results.length === 0) return;
  const peers = results[0].against.map(({ name }) => name);
  return [
    "`rerank`: pairs a second, and how many times each other contender's zrank's throughput is.",
    table(
      [
        'query',
        'zrank',
        'pairs/s',
        ...peers.flatMap((name) => [name, 'ratio']),
        'computed tokens/s',
        'of the GEMM ceiling',
        'idle',
        'p50, ms',
      ],
      results.map((result) => [
        result.settings.query,
        result.settings.precision,
        number(result.pairsPerSecond),
        ...result.against.flatMap(({ pairsPerSecond, ratio }) => [figure(pairsPerSecond), figure(ratio)]),
        number(result.computedTokensPerSecond),
        percent(result.gemmShare),
        percent(result.idle),
        number(result.latencyMs.p50),
      ]),
    ),
  ];
}

function attention({ attention: results }) {
  if (results.length === 0) return;
  return table(
    ['attention', 'query', 'pairs/s', 'of the GEMM ceiling', 'p50, ms'],
    results.map(({ settings, pairsPerSecond, gemmShare, latencyMs }) => [
      settings.attention,
      settings.query,
      number(pairsPerSecond),
      percent(gemmShare),
      number(latencyMs.p50),
    ]),
  );
}

function batchTokens({ batchTokens: results }) {
  if (results.length === 0) return;
  return table(
    ['tokens a batch', 'pairs/s', 'of the GEMM ceiling', 'p50, ms'],
    results.map(({ settings, pairsPerSecond, gemmShare, latencyMs }) => [
      settings.maxBatchTokens,
      number(pairsPerSecond),
      percent(gemmShare),
      number(latencyMs.p50),
    ]),
  );
}

function gemm({ gemm: found, rerank: results }) {
  const own = results.find(({ machine }) => machine.gemmGflops !== null)?.machine;
  const tera = (flops) => number(flops / 1e12);
  const rows =
    found === null
      ? []
      : ['fp16', 'bf16'].flatMap((precision) =>
          Object.entries(found[precision].flopsByRows).map(([tokens, flops]) => [
            `PyTorch, a layer's products, ${precision}`,
            tokens,
            tera(flops.layer),
          ]),
        );
  if (own) rows.push([`ONNX Runtime, bare MatMul nodes, ${own.gemmPrecision}`, '', tera(own.gemmGflops * 1e9)]);
  return rows.length === 0 ? undefined : table(['matrix products', 'rows', 'TFLOP/s'], rows);
}

function latency({ latency: found, trace }) {
  const lines = [];
  if (found)
    lines.push(
      `A call of ${found.documents} documents alone: p50 ${number(found.callP50)} ms, ` +
        `of which ${number(found.computeP50)} ms computing (${figure(found.ratio)}x).`,
    );
  if (trace) {
    lines.push(
      `${trace.concurrency} calls in flight: no batch ran in ${percent(trace.idle)} of ${number(trace.traceMs)} ms, ` +
        `${trace.batches} batches; the largest gap was ${number(trace.largestGapMs)} ms.`,
    );
  }
  return lines;
}

function kernels({ kernels: found }) {
  if (found === null) return;
  const rows = Object.entries(found.kinds).map(([kind, { ms, share }]) => [kind, number(ms), percent(share)]);
  const top = Object.entries(found.operatorMs)
    .slice(0, 6)
    .map(([name, ms]) => `${name} ${number(ms)}`)
    .join(', ');
  return [
    table(
      [
        `a call of ${found.documents} documents, by ${found.source === 'kernels' ? 'kernel' : 'operator'}`,
        'ms',
        'share',
      ],
      rows,
    ),
    `Between operators ${number(found.betweenMs)} of ${number(found.runMs)} ms. Largest: ${top} ms.`,
  ];
}

function figure(value) {
  return value === null || value === undefined
    ? '–'
    : Number.isFinite(value)
      ? String(Number(value.toPrecision(3)))
      : String(value);
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
