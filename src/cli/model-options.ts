import { ZrankError } from '../error.js';
import type { LoadOptions } from '../reranker.js';
import { ProgressBar } from './progress.js';

/** The number that an option was given, if it was given one. */
export function count(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[1-9]\d*$/.test(value)) return Number(value);
  throw ZrankError.argument(option, 'a positive integer', value);
}

/** The options that are not undefined. */
export function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Options of commands that load a reranker, for parseArgs() of node:util. */
export const loadFlags = {
  'max-length': { type: 'string' },
  'special-tokens': { type: 'string' },
  device: { type: 'string' },
  precision: { type: 'string' },
  workers: { type: 'string' },
  threads: { type: 'string' },
} as const;

export const loadHelp = `  --max-length N        longest prompt in tokens; the document is cut
  --special-tokens text leave strings such as <|im_end|> in documents as text [parse]
  --device, --precision, --workers, --threads   as Reranker.load() takes them
`;

/**
 * The options of Reranker.load() that a command was given; it refuses a device or a precision that is none. A bar shows how
 * far a conversion of the weights is.
 */
export function loadOptions(values: { [name in keyof typeof loadFlags]?: string | undefined }): LoadOptions {
  const bar = new ProgressBar('converting weights');
  return defined({
    device: values.device,
    precision: values.precision,
    specialTokens: values['special-tokens'],
    maxLength: count('--max-length', values['max-length']),
    workers: count('--workers', values.workers),
    threads: count('--threads', values.threads),
    onLoadProgress: (progress: { completed: number; total: number }) => {
      bar.update(progress);
      if (progress.completed === progress.total) bar.done();
    },
  }) as LoadOptions;
}
