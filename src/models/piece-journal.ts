import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';

/**
 * Bytes of a piece, the last of a file aside. Pieces are fetched side by side, in order of their places: a few even of a
 * small file, and of a large one not more requests than need be.
 */
function pieceSize(size: number): number {
  return Math.min(Math.max(Math.ceil(size / 8), 4 * 2 ** 20), 32 * 2 ** 20);
}

const headerBytes = 16;

/** Bytes of a piece that are written down no later than when so many have come, or so many ms have passed. */
const unrecordedBytes = 2 ** 18;
const unrecordedMs = 10;

/** A part of a file, and how many of its bytes have come, from its beginning on. */
export interface Piece {
  index: number;
  /** Bytes from the beginning of the file. */
  start: number;
  length: number;
  done: number;
  /** What of `done` is written down, and when that was. */
  recorded: number;
  recordedAt: number;
}

/**
 * Which bytes of an unfinished file have come, beside it on disk: a header (bytes of a piece, bytes of the file), then
 * a number for each piece. A number is written after its bytes, so that whenever the process is killed the bytes that it
 * counts are there.
 */
export class PieceJournal {
  readonly pieces: readonly Piece[];
  readonly #path: string;
  #file: number | undefined;

  private constructor(path: string, file: number, pieces: readonly Piece[]) {
    this.#path = path;
    this.#file = file;
    this.pieces = pieces;
  }

  /**
   * @param size bytes of the file when it is complete
   * @param writtenBytes where the unfinished file ends now; 0 where it is not there
   */
  static open(path: string, size: number, writtenBytes: number): PieceJournal {
    const file = openSync(path, 'a+');
    closeSync(file);
    const handle = openSync(path, 'r+');
    const pieceBytes = pieceSize(size);
    const count = Math.ceil(size / pieceBytes);
    const pieces = Array.from({ length: count }, (_, index): Piece => {
      const start = index * pieceBytes;
      return { index, start, length: Math.min(pieceBytes, size - start), done: 0, recorded: 0, recordedAt: 0 };
    });
    const journal = new PieceJournal(path, handle, pieces);
    const known = Buffer.alloc(headerBytes + 4 * count);
    const isComplete =
      fstatSync(handle).size === known.length && readSync(handle, known, 0, known.length, 0) === known.length;
    if (!isComplete || !known.subarray(0, headerBytes).equals(header(size))) {
      journal.reset();
      return journal;
    }
    for (const piece of pieces) {
      const done = known.readUInt32LE(headerBytes + 4 * piece.index);
      // A number beyond the file's end is of another file.
      if (done <= piece.length && piece.start + done <= writtenBytes) piece.done = piece.recorded = done;
    }
    return journal;
  }

  get completed(): number {
    return this.pieces.reduce((sum, { done }) => sum + done, 0);
  }

  /** Bytes from the beginning of the file that have come without a gap. */
  get frontier(): number {
    const gap = this.pieces.find(({ done, length }) => done < length);
    return gap === undefined ? this.#end : gap.start + gap.done;
  }

  get #end(): number {
    const last = this.pieces.at(-1);
    return last === undefined ? 0 : last.start + last.length;
  }

  /**
   * To be called when bytes are in the file. Not each call writes; returns whether this one did. Bytes that nobody has
   * written down are fetched again by the next process, no more.
   */
  record(piece: Piece, done: number): boolean {
    piece.done = done;
    const isDue = done === piece.length || done - piece.recorded >= unrecordedBytes;
    if (!isDue && performance.now() - piece.recordedAt < unrecordedMs) return false;
    this.#write(piece);
    return true;
  }

  #write(piece: Piece): void {
    piece.recorded = piece.done;
    piece.recordedAt = performance.now();
    const number = Buffer.alloc(4);
    number.writeUInt32LE(piece.done);
    if (this.#file !== undefined) writeSync(this.#file, number, 0, 4, headerBytes + 4 * piece.index);
  }

  /** Nothing has come. */
  reset(): void {
    for (const piece of this.pieces) piece.done = piece.recorded = 0;
    const empty = Buffer.concat([header(this.#end), Buffer.alloc(4 * this.pieces.length)]);
    if (this.#file === undefined) return;
    ftruncateSync(this.#file);
    writeSync(this.#file, empty, 0, empty.length, 0);
  }

  close(): void {
    for (const piece of this.pieces) if (piece.recorded !== piece.done) this.#write(piece);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  async remove(): Promise<void> {
    this.close();
    await rm(this.#path, { force: true });
  }
}

function header(size: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt32LE(pieceSize(size), 4);
  bytes.writeBigUInt64LE(BigInt(size), 8);
  return bytes;
}
