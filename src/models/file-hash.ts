import { createHash, type Hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { HubFile } from './hub/repository.js';

/** What the worker of hash-worker.ts is told. */
export interface HashTask {
  path: string;
  /** Bytes of the file. */
  size: number;
  algorithm: HubFile['hash']['algorithm'];
  /** A BigInt64Array of one number: the bytes from the beginning that may be read. */
  frontier: SharedArrayBuffer;
}

/** Smaller files are hashed where they are wanted: a thread takes longer to start. */
const leastWorkerBytes = 4 * 2 ** 20;

/**
 * The hash of a file that is still being written: a worker follows behind the bytes that are there, so that little is
 * left to do when the last one comes.
 */
export class FileHash {
  readonly #task: HashTask;
  readonly #frontier = new BigInt64Array(new SharedArrayBuffer(8));
  #worker: { thread: Worker; digest: Promise<string> } | undefined;

  constructor(path: string, size: number, algorithm: HashTask['algorithm']) {
    this.#task = { path, size, algorithm, frontier: this.#frontier.buffer as SharedArrayBuffer };
    if (size >= leastWorkerBytes) this.#worker = startWorker(this.#task);
  }

  /** The bytes before `end` are in the file and stay as they are. */
  advance(end: number): void {
    Atomics.store(this.#frontier, 0, BigInt(end));
    Atomics.notify(this.#frontier, 0);
  }

  /** The hash in hex, when all bytes are there. */
  async digest(): Promise<string> {
    if (this.#worker !== undefined) return this.#worker.digest;
    const { path, size, algorithm } = this.#task;
    return startHash(algorithm, size)
      .update(await readFile(path))
      .digest('hex');
  }

  async stop(): Promise<void> {
    await this.#worker?.thread.terminate();
  }
}

/** The hash of a complete file, in hex. */
export async function hashFile(path: string, size: number, algorithm: HashTask['algorithm']): Promise<string> {
  const hash = new FileHash(path, size, algorithm);
  try {
    hash.advance(size);
    return await hash.digest();
  } finally {
    await hash.stop();
  }
}

/** Git hashes a file behind its kind and length (git-hash-object). */
export function startHash(algorithm: HashTask['algorithm'], size: number): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

function startWorker(task: HashTask): { thread: Worker; digest: Promise<string> } {
  // Of its own: `node --input-type=module --eval` would hand on what no file can be run with.
  const execArgv: string[] = [];
  const thread = new Worker(new URL('hash-worker.js', import.meta.url), { workerData: task, execArgv });
  const digest = new Promise<string>((resolve, reject) => {
    thread.once('message', resolve).once('error', reject);
    thread.once('exit', () => reject(new Error('the thread that hashes has ended')));
  });
  // Where nobody waits for it any more, it is no failure of the process.
  digest.catch(() => {});
  return { thread, digest };
}
