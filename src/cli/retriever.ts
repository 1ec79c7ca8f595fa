import { basename } from 'node:path';
import { embeddedModels } from '../package.js';
import { BiEncoder } from '../retrieval/bi-encoder.js';
import { Bm25 } from '../retrieval/bm25.js';
import { DenseRetriever } from '../retrieval/dense.js';
import { HybridRetriever } from '../retrieval/hybrid.js';
import type { Retriever } from '../retrieval/retriever.js';
import type { Stemmer } from '../retrieval/stemmer.js';
import { locateModel } from './models.js';
import { log } from './output.js';

const embeddedName = basename(embeddedModels.retriever);

export const retrieverOption = {
  value: 'name',
  description:
    'bm25, bm25:<language> (by stems, such as bm25:english), a bi-encoder, given as --model is, ' +
    'hybrid (bm25 and the embedded bi-encoder), or hybrid:<model> ' +
    `(default: the embedded ${embeddedName})`,
} as const;

/** What --retriever names. */
export interface RetrieverSource {
  name: string;
  /** A new, empty retriever. */
  create(): Retriever;
  close(): Promise<void>;
}

/** Opens what --retriever names; the embedded bi-encoder, which a line on stderr says, where it names none. */
export async function openRetriever(option: string | undefined, pull?: boolean): Promise<RetrieverSource> {
  const [bm25, stemmer] = /^bm25(?::(.*))?$/s.exec(option ?? '') ?? [];
  if (bm25 !== undefined) {
    const create = (): Retriever => new Bm25({ stemmer: stemmer as Stemmer });
    // An unknown language is found out before the work begins.
    create();
    return { name: stemmer ? `BM25 by stems (${stemmer})` : 'BM25', create, close: async () => {} };
  }
  const [, isHybrid, model] = /^(hybrid(?::|$))?(.*)$/s.exec(option ?? '')!;
  if (model) await locateModel(model, pull);
  else log(`using the embedded demonstration model ${embeddedName}; --retriever <model> names a real one`);
  const encoder = await BiEncoder.load(model || embeddedModels.retriever);
  const name = model || embeddedName;
  const dense = (): Retriever => new DenseRetriever({ encoder });
  return {
    name: isHybrid ? `BM25 + ${name}` : name,
    create: isHybrid ? () => new HybridRetriever({ retrievers: [new Bm25(), dense()] }) : dense,
    close: () => encoder.close(),
  };
}
