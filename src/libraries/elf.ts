import { closeSync, openSync, readSync } from 'node:fs';
import { ZrankError } from '../error.js';

// System V ABI, chapters 4 and 5: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
const ptLoad = 1;
const ptDynamic = 2;
const dtNull = 0n;
const dtNeeded = 1n;
const dtStrtab = 5n;
const dtStrsz = 10n;

/** A segment of an ELF file: where it lies in the file and in memory, in bytes. */
interface Segment {
  type: number;
  offset: number;
  address: number;
  size: number;
}

/**
 * The libraries that a 64-bit little-endian ELF shared object names as needed (DT_NEEDED), in its order, such as
 * `libcudart.so.13`. Reads a few KB of the file. Throws DATA_INVALID for any other file.
 */
export function neededLibraries(path: string): string[] {
  const file = openSync(path, 'r');
  const read = (offset: number, size: number): Buffer => {
    // Tables of this kind have a few hundred entries: a size beyond that is not one.
    const bytes = Buffer.alloc(Math.min(size, 1 << 24));
    if (readSync(file, bytes, 0, bytes.length, offset) !== size) throw invalid(path);
    return bytes;
  };
  try {
    const segments = programHeaders(read, path);
    const dynamic = segments.find(({ type }) => type === ptDynamic);
    if (dynamic === undefined) return [];
    const entries = dynamicEntries(read(dynamic.offset, dynamic.size));
    const value = (tag: bigint) => Number(entries.find(([t]) => t === tag)?.[1] ?? 0n);
    const address = value(dtStrtab);
    const holder = segments.find(
      ({ type, address: start, size }) => type === ptLoad && address >= start && address < start + size,
    );
    if (holder === undefined) throw invalid(path);
    const strings = read(holder.offset + address - holder.address, value(dtStrsz));
    const text = (start: number) => strings.toString('latin1', start, Math.max(start, strings.indexOf(0, start)));
    return entries.filter(([tag]) => tag === dtNeeded).map(([, start]) => text(Number(start)));
  } finally {
    closeSync(file);
  }
}

function programHeaders(read: (offset: number, size: number) => Buffer, path: string): Segment[] {
  const header = read(0, 64);
  const isElf64LittleEndian = header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2 && header[5] === 1;
  if (!isElf64LittleEndian) throw invalid(path);
  const offset = Number(header.readBigUInt64LE(32));
  const size = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  const table = read(offset, size * count);
  return Array.from({ length: count }, (_, i) => {
    const word = (at: number) => Number(table.readBigUInt64LE(i * size + at));
    return { type: table.readUInt32LE(i * size), offset: word(8), address: word(16), size: word(32) };
  });
}

/** Pairs of tag and value. */
function dynamicEntries(table: Buffer): [bigint, bigint][] {
  const entries: [bigint, bigint][] = [];
  for (let at = 0; at + 16 <= table.length && table.readBigInt64LE(at) !== dtNull; at += 16) {
    entries.push([table.readBigInt64LE(at), table.readBigUInt64LE(at + 8)]);
  }
  return entries;
}

function invalid(path: string): ZrankError {
  return new ZrankError('DATA_INVALID', `${path} is no 64-bit ELF shared object`);
}
