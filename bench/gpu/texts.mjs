// Step: all texts. The pairs for parity, with the token ids of their prompts and the token that gives the score; and
// the calls of latency, trace and kernels, one query and documents each.
import { readCheckpoint } from '../../dist/networks/decoder/checkpoint.js';
import { makeCalls } from '../../dist/bench/workload.js';
import { pairEncoder } from '../../dist/networks/decoder/reranker.js';
import { print, resultOf, settings } from './state.mjs';

const { seed, parity, requests, latency, trace, kernels } = settings;
const { folder } = resultOf('checkpoint');
const checkpoint = await readCheckpoint(folder);
const pairs = [];
for (const [i, set] of parity.entries()) {
  for (const call of await makeCalls(folder, { ...set, calls: 1, seed: seed + i })) pairs.push(...call.pairs);
}
const prompts = await pairEncoder(checkpoint).encode(pairs, {
  maxLength: checkpoint.maxLength,
  truncation: 'error',
  specialTokens: 'parse',
});
const count = Math.max(...[latency, trace, kernels].map(({ calls, warmups }) => calls + warmups));
const calls = await makeCalls(folder, { ...requests, calls: count, sharedQuery: true, seed });
print({
  trueTokenId: checkpoint.head.trueTokenId,
  pairs,
  ids: prompts.map(({ ids }) => [...ids]),
  requests: calls.map((call) => call.requests[0]),
});
