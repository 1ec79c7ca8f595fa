// Runs the embedded model on the device that is named, its cache in the folder that is named, and prints what came of
// it as JSON: Trial of trial.ts.

import { ZrankError } from '../error.js';
import { Reranker } from '../reranker.js';
import type { LoadOptions } from '../reranker-options.js';
import { embeddedModels } from '../package.js';
import type { Trial } from './trial.js';

async function run({ device, cacheFolder }: Pick<LoadOptions, 'device' | 'cacheFolder'>): Promise<Trial> {
  try {
    await using reranker = await Reranker.load(embeddedModels.decoder, { device, cacheFolder });
    await reranker.predict([['how do I keep bread fresh', 'Keep bread fresh in a paper bag.']]);
    const { precision, attention } = reranker.placement;
    return { runs: true, precision, attention, failure: null };
  } catch (error) {
    if (!(error instanceof ZrankError)) throw error;
    return { runs: false, precision: null, attention: null, failure: error.message };
  }
}

const [device, cacheFolder] = process.argv.slice(2) as [NonNullable<LoadOptions['device']>, string];
process.stdout.write(JSON.stringify(await run({ device, cacheFolder })));
