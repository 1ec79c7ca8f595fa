import { createHash } from 'node:crypto';
import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { openCacheFolder } from './cache-folder.js';
import { halfFromFloat, floatFromHalf } from './half.js';
import { readSafetensorsHeader, safetensorsHeader, type TensorRef } from './safetensors.js';
import type { Weights } from './weights.js';

export interface ConvertOptions {
  /** Where converted weights are kept. @default zrank in XDG_CACHE_HOME, else in ~/.cache */
  cacheFolder?: string | undefined;
  /** Bytes written, of how many. */
  onProgress?: ((progress: { completed: number; total: number }) => void) | undefined;
}

/** Elements that are converted between two turns of the event loop. */
const chunkElements = 2 ** 20;

/**
 * The weights in another dtype, converted once into a safetensors file in the cache. The file is written in order and
 * takes its name when it is complete, so an interrupted conversion goes on where it stopped. bf16 to fp16 is exact for
 * 2^-17 <= |w| <= 65504; a weight beyond that is an error.
 */
export async function convertWeights(weights: Weights, dtype: 'F16' | 'F32', options: ConvertOptions = {}): Promise<Weights> {
  const sources = [...weights.values()];
  if (sources.every((tensor) => tensor.dtype === dtype)) return weights;
  const folder = await openCacheFolder(options.cacheFolder);
  const header = safetensorsHeader(sources.map(({ name, shape }) => ({ name, shape })), dtype);
  const path = join(folder, `${await identity(sources, dtype)}.safetensors`);
  const total = header.length + sources.reduce((sum, tensor) => sum + elements(tensor) * bytesOf(dtype), 0);
  if ((await sizeOf(path)) !== total) await write(path, sources, dtype, header, total, options.onProgress);
  return new Map((await readSafetensorsHeader(path)).map((tensor) => [tensor.name, tensor]));
}

async function write(path: string, sources: TensorRef[], dtype: 'F16' | 'F32', header: Buffer, total: number, onProgress: ConvertOptions['onProgress']) {
  const partial = `${path}.partial`;
  const target = await open(partial, 'a');
  try {
    let done = (await target.stat()).size;
    if (done < header.length) {
      await target.truncate(0);
      await target.appendFile(header);
      done = header.length;
    }
    let position = header.length;
    for (const tensor of sources) {
      const size = elements(tensor) * bytesOf(dtype);
      if (done < position + size) {
        const first = Math.floor(Math.max(0, done - position) / bytesOf(dtype));
        done = position + first * bytesOf(dtype);
        await target.truncate(done);
        for await (const converted of convert(tensor, dtype, first)) {
          await target.appendFile(converted);
          done += converted.length;
          onProgress?.({ completed: done, total });
        }
      }
      position += size;
    }
    await target.sync();
  } finally {
    await target.close();
  }
  await rename(partial, path);
}

/** The tensor's elements from `first` on, in chunks. */
async function* convert(tensor: TensorRef, dtype: 'F16' | 'F32', first: number): AsyncGenerator<Uint8Array> {
  const source = await open(tensor.path, 'r');
  try {
    const size = bytesOf(tensor.dtype);
    for (let begin = first; begin < elements(tensor); begin += chunkElements) {
      const count = Math.min(chunkElements, elements(tensor) - begin);
      const bytes = await readFully(source, tensor.offset + begin * size, count * size, tensor.path);
      const floats = toFloats(bytes, tensor.dtype);
      yield dtype === 'F32' ? new Uint8Array(floats.buffer) : new Uint8Array(toHalves(floats, tensor).buffer);
    }
  } finally {
    await source.close();
  }
}

async function readFully(file: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new ZrankError('TENSOR_OFFSETS_OUT_OF_RANGE', `${path} has shrunk while it was read`);
    done += bytesRead;
  }
  return buffer;
}

function toFloats(bytes: Buffer, dtype: string): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const stored = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  if (dtype === 'F16') return Float32Array.from(stored, floatFromHalf);
  const widened = new Uint32Array(stored.length);
  for (let i = 0; i < stored.length; i++) widened[i] = stored[i]! << 16;
  return new Float32Array(widened.buffer);
}

function toHalves(floats: Float32Array, tensor: TensorRef): Uint16Array {
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    const half = halfFromFloat(floats[i]!);
    if ((half & 0x7c00) === 0x7c00) {
      throw new ZrankError('TENSOR_DTYPE_UNSUPPORTED', `${tensor.path}: ${tensor.name} holds ${floats[i]}, which fp16 cannot; use precision 'bf16' or 'fp32'`);
    }
    halves[i] = half;
  }
  return halves;
}

const bytesOf = (dtype: string) => (dtype === 'F32' ? 4 : 2);
const elements = (tensor: TensorRef) => tensor.shape.reduce((product, dim) => product * dim, 1);

/** Equal for the same tensors of the same files. */
async function identity(sources: readonly TensorRef[], dtype: string): Promise<string> {
  const hash = createHash('sha256').update(dtype);
  for (const path of new Set(sources.map((tensor) => tensor.path))) {
    const { size, mtimeMs } = await stat(path);
    hash.update(JSON.stringify([path, size, mtimeMs]));
  }
  return hash.update(JSON.stringify(sources)).digest('hex').slice(0, 32);
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(({ size }) => size, () => undefined);
}
