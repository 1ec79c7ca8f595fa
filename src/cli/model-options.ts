import { cachePlaces } from '../cache/options.js';
import { deviceNames, isDevice } from '../devices/placement.js';
import type { Device } from '../devices/device.js';
import { ZrankError } from '../error.js';
import { Reranker } from '../reranker.js';
import type { LoadOptions } from '../reranker-options.js';
import { type OptionValues, positiveInteger } from './command.js';
import { ProgressBar } from './progress.js';

const group = 'Model';

/** What --model and --reranker have in common, by the embedded model that is meant where none is named. */
export const modelOptionFor = (embedded: string) =>
  ({
    value: 'model',
    description:
      "the reranker: a folder, a model of the hub (owner/name, perhaps @revision) or one of zrank's names " +
      `(default: ZRANK_MODEL, else the embedded ${embedded})`,
    group,
  }) as const;

export const modelOption = modelOptionFor('zrank-small');

export const pullOption = { description: 'download the model where it is not there yet', group } as const;

/** Where and how a model runs, as Reranker.load() takes it. */
export const placementOptions = {
  device: { value: 'name', description: `where it runs: ${deviceNames}`, parse: parseDevice, group },
  precision: {
    value: 'name',
    description: 'precision of the matrix products',
    choices: ['auto', 'fp32', 'bf16', 'fp16', 'int8'],
    group,
  },
  workers: { value: 'n', description: 'CPU threads that run batches side by side', parse: positiveInteger, group },
  threads: { value: 'n', description: 'CPU threads in all', parse: positiveInteger, group },
} as const;

export const instructionOption = { value: 'text', description: 'what makes a document relevant', group } as const;

/** How a reranker is loaded. */
export const rerankerOptions = {
  maxLength: {
    value: 'n',
    description: 'longest prompt in tokens; the document is cut',
    parse: positiveInteger,
    group,
  },
  specialTokens: {
    value: 'how',
    description: 'text leaves strings such as <|im_end|> in documents as text',
    choices: ['parse', 'text'],
    group,
  },
  cache: {
    value: 'where',
    description: 'keep scores, in memory or, for later processes too, on disk (default: none)',
    choices: cachePlaces,
    group,
  },
  ...placementOptions,
  pull: pullOption,
} as const;

/** Loads a reranker that is here (models.ts) with these options; a bar shows how far a conversion of its weights is. */
export function loadReranker(
  folder: string,
  options: Partial<OptionValues<typeof rerankerOptions>>,
): Promise<Reranker> {
  const bar = new ProgressBar('converting weights');
  const onLoadProgress: LoadOptions['onLoadProgress'] = (progress) => {
    bar.update(progress);
    if (progress.completed === progress.total) bar.done();
  };
  const { maxLength, specialTokens, cache, device, precision, workers, threads } = options;
  const settings = { maxLength, specialTokens, cache, device, precision, workers, threads };
  return Reranker.load(folder, { ...settings, onLoadProgress });
}

function parseDevice(text: string): Device {
  if (isDevice(text)) return text;
  throw ZrankError.argument('--device', deviceNames, text);
}
