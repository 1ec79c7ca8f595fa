// What every step in Node.js reads: the settings, and the results of the steps before it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reranker } from '../../dist/index.js';

export const state = process.argv[2];
export const settings = JSON.parse(readFileSync(join(state, 'settings.json'), 'utf8'));

/** The objects that a step printed, a line each, also where it failed behind them; undefined where it has not run. */
export function resultsOf(step) {
  const path = ['json', 'partial.json'].map((ending) => join(state, `${step}.${ending}`)).find(existsSync);
  return (
    path &&
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  );
}

/** The one object of a step that must have run. */
export function resultOf(step) {
  const [result] = resultsOf(step) ?? [];
  if (result === undefined) throw new Error(`the step ${step} has no result`);
  return result;
}

/** Prints a step's result. */
export function print(result) {
  console.log(JSON.stringify(result));
}

/** The checkpoint in one of the precisions. */
export function loadReranker(precision, options = {}) {
  const { device, threads } = settings;
  const cpu = threads === null ? {} : { threads, workers: threads };
  return Reranker.load(resultOf('checkpoint').folder, { device, precision, ...cpu, ...options });
}

/** Ranks the documents of the requests, `concurrency` of them in flight. */
export async function rankAll(reranker, requests, concurrency) {
  const waiting = requests.values();
  const client = async () => {
    for (const { query, documents } of waiting) await reranker.rank(query, documents);
  };
  await Promise.all(Array.from({ length: concurrency }, client));
}
