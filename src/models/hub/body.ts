import { pipeline } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ZrankError } from '../../error.js';
import { connectionError, type Reply } from './connection.js';
import { TransientError } from './errors.js';

/** The bytes of a reply, by as many as are wanted. */
export class Body {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #url: string;
  #rest: Buffer | undefined;

  constructor(stream: AsyncIterable<Buffer>, url: string) {
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#url = url;
  }

  /** The next bytes, `most` at most. Throws TransientError where no more come. */
  async read(most: number): Promise<Buffer> {
    const chunk = this.#rest ?? (await this.#next());
    this.#rest = chunk.length > most ? chunk.subarray(most) : undefined;
    return chunk.subarray(0, most);
  }

  /** Waits for the end, if it comes next, so that the connection can be used again. */
  async end(): Promise<void> {
    if (this.#rest === undefined) await this.#chunks.next().catch(() => {});
  }

  async #next(): Promise<Buffer> {
    const next = await this.#chunks.next().catch((cause: unknown) => {
      throw connectionError(new URL(this.#url), cause);
    });
    if (next.done) throw new TransientError(`${this.#url} ended before it was complete`);
    return next.value;
  }
}

export function rangeStart({ headers }: Pick<Reply, 'headers'>): number {
  return Number(/^bytes (\d+)-/.exec(String(headers['content-range']))?.[1] ?? Number.NaN);
}

export function isEncoded({ headers }: Pick<Reply, 'headers'>): boolean {
  return !['identity', ''].includes(String(headers['content-encoding'] ?? ''));
}

/** A body as it was before it was packed for the way, though nobody asked for that. */
export function decoded({ url, headers, body }: Reply): AsyncIterable<Buffer> {
  const encoding = String(headers['content-encoding'] ?? 'identity');
  if (encoding === 'identity' || encoding === '') return body;
  const decoders = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress };
  const create = Object.entries(decoders).find(([name]) => name === encoding)?.[1];
  if (create === undefined)
    throw new ZrankError('HUB_RESPONSE_INVALID', `${url} comes in the encoding ${JSON.stringify(encoding)}`);
  return pipeline(body, create(), () => {});
}
