import { createHash, type Hash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SentenceTransformerFolder } from '../networks/encoder/sentence-transformer.js';

/** Tells whether two encoders make the same embeddings. */
export interface EncoderFingerprint {
  /** Its name for people: that of the model's folder, or the hub's. */
  model: string;
  /** Of all that decides an embedding. */
  hash: string;
}

/** Of each file of weights this many pieces are hashed, spread evenly: training a model anew changes them all over. */
const pieces = 256;
const pieceBytes = 4096;

/** The fingerprint of a model as it is read here: weights, tokenizer, modules, prompts, and the longest text. */
export async function fingerprintOf(
  model: string,
  { network, dense, normalize, truncateDim, prompts }: SentenceTransformerFolder,
  maxLength: number | undefined,
): Promise<EncoderFingerprint> {
  const hash = createHash('sha256');
  const { tokenizer, pooling, files } =
    network.kind === 'static'
      ? { tokenizer: network.tokenizer, pooling: [], files: [network.embeddings.path] }
      : {
          tokenizer: network.encoder.tokenizer,
          pooling: network.pooling,
          files: await onnxFiles(network.encoder.onnxPath),
        };
  const layers = dense.map(({ activation }) => activation);
  hash.update(JSON.stringify([tokenizer, pooling, layers, normalize, truncateDim, prompts, maxLength ?? null]));
  for (const path of [...files, ...dense.map(({ weight }) => weight.path)]) await hashPieces(path, hash);
  return { model, hash: hash.digest('hex').slice(0, 32) };
}

/** An ONNX file, and those beside it that hold its external data, named after it by habit. */
async function onnxFiles(path: string): Promise<string[]> {
  const names = await readdir(dirname(path));
  return names
    .filter((name) => name.startsWith(basename(path)))
    .sort()
    .map((name) => join(dirname(path), name));
}

async function hashPieces(path: string, hash: Hash): Promise<void> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    hash.update(`${size}`);
    const bytes = Buffer.alloc(pieceBytes);
    const step = Math.max(pieceBytes, size / pieces);
    for (let start = 0; start < size; start += step) {
      const { bytesRead } = await file.read(bytes, 0, pieceBytes, Math.floor(start));
      hash.update(bytes.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
