// Step: with several calls in flight, the share of time in which no batch runs.
import { runsOf, traceCalls } from './profile.mjs';
import { print, settings } from './state.mjs';

const runs = runsOf(await traceCalls(settings.trace));
const begin = runs[0].ts;
let end = begin;
const gapsMs = [];
for (const { ts, dur } of runs) {
  if (ts > end) gapsMs.push((ts - end) / 1000);
  end = Math.max(end, ts + dur);
}
const traceMs = (end - begin) / 1000;
const idleMs = gapsMs.reduce((total, gap) => total + gap, 0);
print({
  ...settings.trace,
  batches: runs.length,
  traceMs,
  idleMs,
  idle: idleMs / traceMs,
  largestGapMs: Math.max(0, ...gapsMs),
});
