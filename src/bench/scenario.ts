import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonIfPresent } from '../json.js';
import { ZrankError } from '../error.js';
import { packageFolder } from '../package.js';

/** Lengths in tokens, ends included. */
export type Lengths =
  | { uniform: readonly [least: number, most: number] }
  | { lognormal: { median: number; sigma: number; min: number; max: number } };

export type QueryLength = 'short' | 'long';

/** A workload, as bench/scenarios declares it. */
export interface Scenario {
  description: string;
  /** Documents of a call. */
  documents: number;
  documentTokens: Lengths;
  queryTokens: Readonly<Record<QueryLength, number>>;
  /** One query for all documents of a call, or one each. */
  sharedQuery: boolean;
  /** Timed calls. */
  calls: number;
  /** Calls before them that are not timed. */
  warmups: number;
}

const folder = join(packageFolder, 'bench/scenarios');

export const scenarioNames: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length))
  .sort();

/** The scenario of bench/scenarios. Throws INVALID_ARGUMENT for a name that is none. */
export async function readScenario(name: string): Promise<Scenario> {
  if (!scenarioNames.includes(name)) {
    throw ZrankError.argument('the scenario', `one of ${scenarioNames.join(', ')}`, name);
  }
  return (await readJsonIfPresent(join(folder, `${name}.json`))) as unknown as Scenario;
}

/** Draws a length. */
export function drawLength(lengths: Lengths, random: () => number): number {
  if ('uniform' in lengths) {
    const [least, most] = lengths.uniform;
    return least + Math.floor(random() * (most - least + 1));
  }
  const { median, sigma, min, max } = lengths.lognormal;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.min(max, Math.max(min, Math.round(median * Math.exp(sigma * normal))));
}
