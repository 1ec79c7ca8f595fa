// Hashes a file behind the bytes that another thread writes: HashTask of file-hash.ts.

import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type HashTask, startHash } from './file-hash.js';

const { path, size, algorithm, frontier: shared } = workerData as HashTask;
const frontier = new BigInt64Array(shared);
const hash = startHash(algorithm, size);
// It stays in the processor's cache.
const buffer = Buffer.allocUnsafe(2 ** 18);
const file = openSync(path, 'r');
let hashed = 0;
while (hashed < size) {
  const end = Number(Atomics.load(frontier, 0));
  if (end <= hashed) {
    Atomics.wait(frontier, 0, BigInt(end));
    continue;
  }
  const bytes = readSync(file, buffer, 0, Math.min(buffer.length, end - hashed), hashed);
  if (bytes === 0) throw new Error(`${path} has ${hashed} bytes, not ${size}`);
  hash.update(buffer.subarray(0, bytes));
  hashed += bytes;
}
closeSync(file);
parentPort!.postMessage(hash.digest('hex'));
