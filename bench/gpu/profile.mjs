// ONNX Runtime's trace of some calls (LoadOptions.profilePrefix), warm-ups left out.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { loadReranker, rankAll, resultOf, settings, state } from './state.mjs';

/**
 * Runs the calls and returns their events, which have `cat`, `name`, `ts`, `dur` (microseconds) and `args`, in order of
 * time.
 */
export async function traceCalls({ calls, warmups, concurrency }) {
  const { requests } = resultOf('texts');
  const folder = await mkdtemp(join(state, 'trace-'));
  try {
    const reranker = await loadReranker(settings.precisions[0], { profilePrefix: join(folder, 'trace') });
    await rankAll(reranker, requests.slice(0, warmups), concurrency);
    const warmBatches = reranker.counters().batches;
    await rankAll(reranker, requests.slice(warmups, warmups + calls), concurrency);
    await reranker.close();
    const [file] = await readdir(folder);
    const events = JSON.parse(await readFile(join(folder, file), 'utf8')).sort((a, b) => a.ts - b.ts);
    const begin = runsOf(events)[warmBatches].ts;
    return events.filter(({ ts }) => ts >= begin);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The runs of the network, an event each. */
export function runsOf(events) {
  return events.filter(({ name }) => name === 'model_run');
}

export function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
