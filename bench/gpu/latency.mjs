// Step: one call at a time, how long it takes and how much of that is computing.
import { quantile } from 'simple-statistics';
import { loadReranker, print, rankAll, resultOf, settings } from './state.mjs';

const { calls, warmups } = settings.latency;
const { requests } = resultOf('texts');
const reranker = await loadReranker(settings.precisions[0]);
await rankAll(reranker, requests.slice(0, warmups), 1);
const callMs = [];
const computeMs = [];
for (const request of requests.slice(warmups, warmups + calls)) {
  const before = reranker.counters().computeSeconds;
  const start = performance.now();
  await rankAll(reranker, [request], 1);
  callMs.push(performance.now() - start);
  computeMs.push((reranker.counters().computeSeconds - before) * 1000);
}
const [callP50, computeP50] = [callMs, computeMs].map((values) => quantile(values, 0.5));
await reranker.close();
print({ documents: settings.requests.documents, callMs, computeMs, callP50, computeP50, ratio: callP50 / computeP50 });
