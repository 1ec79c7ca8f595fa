import { open, realpath, type FileHandle } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import { isObject, parseJsonObject, refuseLfsPointer, type JsonObject } from '../json.js';

export type Dtype = 'F32' | 'F16' | 'BF16' | 'U8';

/** Where a tensor lies: `length` bytes from `offset` of the file. */
export interface TensorRef {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** Bytes from the beginning of the file, header included. */
  offset: number;
  /** Bytes. */
  length: number;
  /** The file's path, symlinks followed. */
  path: string;
}

const dtypeBytes: Record<string, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
};

/** As much as the safetensors library reads (MAX_HEADER_SIZE of its tensor.rs). */
const maxHeaderLength = 100_000_000;

/**
 * Reads and checks the header of a .safetensors file: 8 bytes of its length (little-endian), then JSON. Format:
 * https://github.com/huggingface/safetensors#format. Throws FILE_UNREADABLE for what is no file of the caller's.
 */
export async function readSafetensorsHeader(path: string): Promise<TensorRef[]> {
  try {
    const file = await open(path, 'r');
    try {
      return await readHeader(file, path);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof ZrankError) throw cause;
    const isMissing = ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '');
    if (isMissing) throw new ZrankError('SHARD_MISSING', `${path} is missing`, { cause });
    throw new ZrankError('FILE_UNREADABLE', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function readHeader(file: FileHandle, path: string): Promise<TensorRef[]> {
  const { size } = await file.stat();
  const start = Buffer.alloc(64);
  await file.read(start, 0, start.length, 0);
  refuseLfsPointer(path, start.toString('latin1'));
  if (size < 8)
    throw new ZrankError(
      'SAFETENSORS_TRUNCATED',
      `${path} has ${size} bytes, fewer than the 8 that begin a safetensors file`,
    );
  const headerLength = start.readBigUInt64LE();
  if (headerLength > BigInt(Math.min(size - 8, maxHeaderLength))) {
    throw new ZrankError(
      'SAFETENSORS_HEADER_TOO_LONG',
      `${path}: the header claims ${headerLength} bytes, the file has ${size} and a header at most ${maxHeaderLength}`,
    );
  }
  const header = Buffer.alloc(Number(headerLength));
  await file.read(header, 0, header.length, 8);
  return parseHeader(header.toString('utf8'), await realpath(path), 8 + header.length, size);
}

function parseHeader(text: string, path: string, dataStart: number, fileSize: number): TensorRef[] {
  const invalid = (why: string, cause?: unknown) =>
    new ZrankError('SAFETENSORS_HEADER_INVALID', `${path}: ${why}`, { cause });
  let header: JsonObject;
  try {
    header = parseJsonObject(text, path);
  } catch (cause) {
    throw invalid('the header is not a JSON object', cause);
  }
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const tensors: TensorRef[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (!isObject(entry)) throw invalid(`the entry of ${name} is not an object`);
    const { dtype, shape, data_offsets: offsets } = entry;
    if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(isCount))
      throw invalid(`${name} has no dtype or shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
      throw invalid(`${name} has no data_offsets`);
    const [begin, end] = offsets as [number, number];
    if (end < begin || dataStart + end > fileSize) {
      throw new ZrankError(
        'TENSOR_OFFSETS_OUT_OF_RANGE',
        `${path}: ${name} lies at ${begin} to ${end} of ${fileSize - dataStart} bytes of data`,
      );
    }
    const bytes = dtypeBytes[dtype];
    if (bytes === undefined)
      throw new ZrankError('TENSOR_DTYPE_UNSUPPORTED', `${path}: ${name} has the unknown dtype ${dtype}`);
    const expected = shape.reduce((product: number, dim: number) => product * dim, bytes);
    if (end - begin !== expected) {
      throw new ZrankError(
        'TENSOR_SHAPE_MISMATCH',
        `${path}: ${name} of shape [${shape}] in ${dtype} takes ${expected} bytes, its offsets span ${end - begin}`,
      );
    }
    tensors.push({ name, dtype, shape, offset: dataStart + begin, length: end - begin, path });
  }
  tensors.sort((a, b) => a.offset - b.offset || a.length - b.length);
  for (let i = 1; i < tensors.length; i++) {
    const before = tensors[i - 1]!;
    const tensor = tensors[i]!;
    if (before.offset + before.length > tensor.offset) {
      throw new ZrankError('TENSOR_OFFSETS_OVERLAP', `${path}: ${before.name} and ${tensor.name} overlap`);
    }
  }
  return tensors;
}

/** The bytes before the data of a file whose tensors stand in this order without gaps. */
export function safetensorsHeader(
  tensors: readonly { name: string; shape: readonly number[]; dtype: Dtype }[],
  metadata?: Readonly<Record<string, string>>,
): Buffer {
  const entries: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const { name, shape, dtype } of tensors) {
    const end = offset + byteLength(shape, dtype);
    entries[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(entries);
  // Spaces behind the JSON align the data to 64 bytes.
  const padded = text.padEnd(Math.ceil((text.length + 8) / 64) * 64 - 8);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([prefix, Buffer.from(padded)]);
}

/** Bytes of a tensor. */
export function byteLength(shape: readonly number[], dtype: Dtype): number {
  return shape.reduce((product, dim) => product * dim, dtypeBytes[dtype]!);
}
