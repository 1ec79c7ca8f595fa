import { fileURLToPath } from 'node:url';
import { BiEncoder } from '../retrieval/bi-encoder.js';
import { Bm25 } from '../retrieval/bm25.js';
import { DenseRetriever } from '../retrieval/dense.js';
import { HybridRetriever } from '../retrieval/hybrid.js';
import type { Retriever } from '../retrieval/retriever.js';

const embedded = fileURLToPath(new URL('../../models/zrank-tiny-retriever', import.meta.url));

export const retrieverHelp = `bm25, a FOLDER of a bi-encoder, hybrid (bm25 and the embedded bi-encoder), or
                        hybrid:FOLDER [the embedded zrank-tiny-retriever]`;

/** What --retriever names. */
export interface RetrieverSource {
  name: string;
  /** A new, empty retriever. */
  create(): Retriever;
  close(): Promise<void>;
}

/** Opens what --retriever names; the embedded bi-encoder, which a line on stderr says, where it names none. */
export async function openRetriever(option: string | undefined): Promise<RetrieverSource> {
  if (option === 'bm25') return { name: 'BM25', create: () => new Bm25(), close: async () => {} };
  const [, isHybrid, folder] = /^(hybrid(?::|$))?(.*)$/s.exec(option ?? '')!;
  if (!folder)
    process.stderr.write(
      'zrank: using the embedded demonstration model zrank-tiny-retriever; --retriever FOLDER names a real one\n',
    );
  const encoder = await BiEncoder.load(folder || embedded);
  const name = folder || 'zrank-tiny-retriever';
  const dense = (): Retriever => new DenseRetriever({ encoder });
  return {
    name: isHybrid ? `BM25 + ${name}` : name,
    create: isHybrid ? () => new HybridRetriever({ retrievers: [new Bm25(), dense()] }) : dense,
    close: () => encoder.close(),
  };
}
