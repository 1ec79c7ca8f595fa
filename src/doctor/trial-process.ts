// Runs the embedded model on the device that is named, and prints what came of it as JSON: Trial of trial.ts.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { Reranker, type LoadOptions } from '../reranker.js';
import { embeddedModel } from './models.js';
import type { Trial } from './trial.js';

async function run(device: LoadOptions['device']): Promise<Trial> {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'zrank-doctor-'));
  try {
    await using reranker = await Reranker.load(embeddedModel, { device, cacheFolder });
    await reranker.predict([['how do I keep bread fresh', 'Keep bread fresh in a paper bag.']]);
    const { precision, attention } = reranker.placement;
    return { runs: true, precision, attention, failure: null };
  } catch (error) {
    if (!(error instanceof ZrankError)) throw error;
    return { runs: false, precision: null, attention: null, failure: error.message };
  } finally {
    await rm(cacheFolder, { recursive: true, force: true });
  }
}

process.stdout.write(JSON.stringify(await run(process.argv[2] as LoadOptions['device'])));
