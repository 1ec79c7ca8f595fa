import type { Dialect } from './dialect.js';
import { cohere } from './dialects/cohere.js';
import { infinity } from './dialects/infinity.js';
import { jina } from './dialects/jina.js';
import { tei } from './dialects/tei.js';
import { vllm } from './dialects/vllm.js';
import { voyage } from './dialects/voyage.js';
import { zeroentropy } from './dialects/zeroentropy.js';

/** The wire formats by name. At a path that several share, a request is for the first route that claims it. */
export const dialects = { tei, voyage, zeroentropy, cohere, vllm, jina, infinity } satisfies Record<string, Dialect>;

export type DialectName = keyof typeof dialects;
export const dialectNames = Object.keys(dialects) as DialectName[];
