import type { FileHandle } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import type { Piece, PieceJournal } from './piece-journal.js';

/** Bytes that wait to be written before a connection is held back. */
const maxPendingBytes = 2 ** 20;

/** Writes to a piece's place while more comes: what has come during one write is the next. */
export class PieceWriter {
  readonly #output: FileHandle;
  readonly #journal: PieceJournal;
  readonly #piece: Piece;
  readonly #onWritten: (bytes: number) => void;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Bytes that the piece has room for beyond what is written or waits. */
  room: number;
  #writing: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(output: FileHandle, journal: PieceJournal, piece: Piece, onWritten: (bytes: number) => void) {
    this.#output = output;
    this.#journal = journal;
    this.#piece = piece;
    this.#onWritten = onWritten;
    this.room = piece.length - piece.done;
  }

  async push(chunk: Uint8Array): Promise<void> {
    const bytes = chunk.subarray(0, this.room);
    this.room -= bytes.length;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#writing ??= this.#write();
    if (this.#pendingBytes > maxPendingBytes) await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  async finish(): Promise<void> {
    await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  async #write(): Promise<void> {
    try {
      while (this.#pendingBytes > 0) {
        const buffers = this.#pending;
        const bytes = this.#pendingBytes;
        this.#pending = [];
        this.#pendingBytes = 0;
        await writeAll(this.#output, buffers, bytes, this.#piece.start + this.#piece.done);
        this.#journal.record(this.#piece, this.#piece.done + bytes);
        this.#onWritten(bytes);
      }
    } catch (cause) {
      this.#failure = { error: writeError(cause) };
    } finally {
      this.#writing = undefined;
    }
  }
}

async function writeAll(output: FileHandle, buffers: Uint8Array[], bytes: number, position: number): Promise<void> {
  let { bytesWritten } = await output.writev(buffers, position);
  if (bytesWritten === bytes) return;
  const rest = Buffer.concat(buffers);
  while (bytesWritten < bytes)
    bytesWritten += (await output.write(rest, bytesWritten, bytes - bytesWritten, position + bytesWritten))
      .bytesWritten;
}

/** The error for a file of the cache that cannot be written. */
export function writeError(cause: unknown): ZrankError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new ZrankError(isFull ? 'DISK_FULL' : 'FILE_UNWRITABLE', `a model's file cannot be written: ${message}`, {
    cause,
  });
}
