import { type Lengths, type QueryLength, readScenario, type Scenario } from './scenario.js';
import type { RunSettings } from './settings.js';

/** Lists; every combination of them is a run of each scenario. */
export interface Combinations {
  query: readonly QueryLength[];
  /** @default the scenario's */
  tokens?: readonly Lengths[] | undefined;
  concurrency: readonly number[];
}

/** What takes the place of the scenario's own numbers. */
export type Overrides = { [Name in 'documents' | 'calls' | 'warmups']?: Scenario[Name] | undefined };

/** What all runs have in common. */
export type CommonSettings = Omit<
  RunSettings,
  | 'scenario'
  | 'query'
  | 'queryTokens'
  | 'documents'
  | 'documentTokens'
  | 'sharedQuery'
  | 'calls'
  | 'warmups'
  | 'concurrency'
>;

/** The settings of each run, in the order of the lists. */
export async function planRuns(
  scenarios: readonly string[],
  { query: queries, tokens, concurrency: concurrencies }: Combinations,
  overrides: Overrides,
  common: CommonSettings,
): Promise<RunSettings[]> {
  const runs: RunSettings[] = [];
  for (const name of scenarios) {
    const scenario = await readScenario(name);
    for (const query of queries) {
      for (const documentTokens of tokens ?? [scenario.documentTokens]) {
        for (const concurrency of concurrencies) {
          runs.push({
            ...common,
            scenario: name,
            query,
            queryTokens: scenario.queryTokens[query],
            documents: overrides.documents ?? scenario.documents,
            documentTokens,
            sharedQuery: scenario.sharedQuery,
            calls: overrides.calls ?? scenario.calls,
            warmups: overrides.warmups ?? scenario.warmups,
            concurrency,
          });
        }
      }
    }
  }
  return runs;
}
