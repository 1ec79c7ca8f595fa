import { Worker } from 'node:worker_threads';
import { throwIfAborted, ZrankError, type ErrorCode } from '../error.js';
import type { HubEnvironment } from './environment.js';
import type { HubFile } from './hub/repository.js';
import type { HubName } from './model-name.js';

/** What the thread of transfer-worker.ts begins with. */
export interface TransferSettings {
  name: HubName;
  environment: HubEnvironment;
  token: string | undefined;
}

/** A file to fetch. */
export interface BlobTarget {
  /** The path that it gets when it is complete and its hash is right. */
  path: string;
  file: HubFile;
  url: string;
}

export type ToTransfer = BlobTarget & { number: number };
export type FromTransfer = { number: number } & (
  | { kind: 'bytes'; bytes: number }
  | { kind: 'done' }
  | { kind: 'failed'; code: ErrorCode; message: string }
);

/**
 * The thread that fetches files: it may wait for the disk, and what comes at full speed would leave no time for anything
 * else on this one.
 */
export class Transfer {
  readonly #thread: Worker;
  readonly #signal: AbortSignal | undefined;
  readonly #open = new Map<
    number,
    { onBytes: (bytes: number) => void; resolve: () => void; reject: (error: unknown) => void }
  >();
  #count = 0;
  readonly #abort = (): void => void this.close();

  constructor(settings: TransferSettings, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#thread = new Worker(new URL('transfer-worker.js', import.meta.url), { workerData: settings, execArgv: [] });
    this.#thread.on('message', (message: FromTransfer) => this.#take(message));
    this.#thread.on('error', (error) => this.#failAll(error));
    this.#thread.on('exit', () => this.#failAll(new Error('the thread that fetches files has ended')));
    signal?.addEventListener('abort', this.#abort);
  }

  /**
   * Resolves when the file has its name. Throws the codes of fetchBlob(), and ABORTED.
   *
   * @param onBytes told bytes that are in the file: at first those of an earlier try; less than 0 where bytes are to
   *   come again
   */
  async fetch(target: BlobTarget, onBytes: (bytes: number) => void): Promise<void> {
    const number = ++this.#count;
    try {
      await new Promise<void>((resolve, reject) => {
        throwIfAborted(this.#signal);
        this.#open.set(number, { onBytes, resolve, reject });
        this.#thread.postMessage({ number, ...target } satisfies ToTransfer);
      });
    } catch (error) {
      throwIfAborted(this.#signal);
      throw error;
    }
  }

  /** Ends the thread wherever it is: what has come is kept for the next. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#abort);
    await this.#thread.terminate();
  }

  #take(message: FromTransfer): void {
    const call = this.#open.get(message.number);
    if (message.kind === 'bytes') {
      call?.onBytes(message.bytes);
      return;
    }
    this.#open.delete(message.number);
    if (message.kind === 'done') call?.resolve();
    else call?.reject(new ZrankError(message.code, message.message));
  }

  #failAll(error: unknown): void {
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }
}
