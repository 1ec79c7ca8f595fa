import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { throwIfAborted, ZrankError } from '../error.js';
import { FileHash } from './file-hash.js';
import { Body, decoded, isEncoded, rangeStart } from './hub/body.js';
import type { HubConnection, Reply } from './hub/connection.js';
import { excerptOf, isPage, TransientError } from './hub/errors.js';
import type { HubFile } from './hub/repository.js';
import { PieceJournal, type Piece } from './piece-journal.js';
import { PieceWriter } from './piece-writer.js';

/** Connections that bring pieces of one file. */
const connections = 4;
/** Slower than this, over twice the time of a stall, a connection is given up, in bytes a second. */
const leastRate = 1024;

export interface BlobTarget {
  /** Its name when it is complete and its hash is right. */
  path: string;
  file: HubFile;
  url: string;
  /** How long a connection may bring nothing, in ms. */
  stallMs: number;
  signal?: AbortSignal | undefined;
  /** Told bytes that are in the file: at first those of an earlier try. Less than 0 where they are to come again. */
  onBytes: (bytes: number) => void;
}

/** The server gives no ranges: 200, 416, or a range of compressed bytes. */
class NoRanges extends Error {}

/**
 * Fetches a file to a path that it gets when it is complete and its hash is right, through PATH.zrank.incomplete, which
 * a next try takes up where this one was cut. Throws CHECKSUM_MISMATCH where what came is not what the hub listed,
 * HUB_RESPONSE_INVALID where it is a page, DISK_FULL, FILE_UNWRITABLE; and then keeps nothing of it.
 */
export async function fetchBlob(hub: HubConnection, target: BlobTarget): Promise<void> {
  const download = await Download.open(hub, target);
  try {
    await download.run();
  } finally {
    await download.close();
  }
}

class Download {
  readonly #hub: HubConnection;
  readonly #target: BlobTarget;
  readonly #partial: string;
  readonly #output: FileHandle;
  readonly #journal: PieceJournal;
  /** Whether bytes of an earlier try are among those that came. */
  #isResumed: boolean;
  #hash: FileHash | undefined;

  private constructor(hub: HubConnection, target: BlobTarget, output: FileHandle, journal: PieceJournal) {
    this.#hub = hub;
    this.#target = target;
    this.#partial = partialPath(target.path);
    this.#output = output;
    this.#journal = journal;
    this.#isResumed = journal.completed > 0;
  }

  static async open(hub: HubConnection, target: BlobTarget): Promise<Download> {
    const path = partialPath(target.path);
    const output = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    const journal = PieceJournal.open(`${path}.pieces`, target.file.size, (await output.stat()).size);
    return new Download(hub, target, output, journal);
  }

  async run(): Promise<void> {
    this.#target.onBytes(this.#journal.completed);
    await this.#fetchAll();
    if ((await this.#digest()) === this.#target.file.hash.hex) return this.#finish();
    const wasResumed = this.#isResumed;
    const start = await this.#startOver();
    // What an earlier try left may be the cause: a machine that lost power, say.
    if (!wasResumed) return this.#refuse(start);
    await this.#fetchAll();
    if ((await this.#digest()) === this.#target.file.hash.hex) return this.#finish();
    await this.#refuse(await this.#startOver());
  }

  async close(): Promise<void> {
    this.#journal.close();
    await this.#output.close();
    await this.#hash?.stop();
  }

  async #finish(): Promise<void> {
    await rename(this.#partial, this.#target.path);
    await this.#journal.remove();
  }

  /** Forgets what has come. Returns its beginning. */
  async #startOver(): Promise<string> {
    const { buffer, bytesRead } = await this.#output.read(Buffer.alloc(4096), 0, 4096, 0);
    this.#target.onBytes(-this.#journal.completed);
    this.#journal.reset();
    await this.#output.truncate(0);
    await this.#hash?.stop();
    this.#hash = undefined;
    this.#isResumed = false;
    return buffer.toString('utf8', 0, bytesRead);
  }

  async #refuse(start: string): Promise<never> {
    await this.#journal.remove();
    await rm(this.#partial, { force: true });
    const { file, url } = this.#target;
    if (isPage(undefined, start) && !/\.html?$/.test(file.path))
      throw new ZrankError(
        'HUB_RESPONSE_INVALID',
        `${url} brought a page in place of ${file.path}; a proxy may be in between: ${excerptOf(start)}`,
      );
    throw mismatch(file, `what came has another ${file.hash.algorithm} than the hub lists, and is deleted`);
  }

  async #digest(): Promise<string> {
    this.#advance();
    return this.#hash!.digest();
  }

  #advance(): void {
    const { file } = this.#target;
    this.#hash ??= new FileHash(this.#partial, file.size, file.hash.algorithm);
    this.#hash.advance(this.#journal.frontier);
  }

  async #fetchAll(): Promise<void> {
    try {
      await this.#fetchPieces();
    } catch (error) {
      if (!(error instanceof NoRanges)) throw error;
      await this.#fetchWhole();
    }
  }

  async #fetchPieces(): Promise<void> {
    const open = this.#journal.pieces.filter(({ done, length }) => done < length);
    const stop = new AbortController();
    let first: { error: unknown } | undefined;
    const takeNext = async (): Promise<void> => {
      for (let piece = open.shift(); piece !== undefined && !stop.signal.aborted; piece = open.shift())
        await this.#fetchPiece(piece, stop.signal);
    };
    const workers = Array.from({ length: Math.min(connections, open.length) }, () =>
      takeNext().catch((error: unknown) => {
        first ??= { error };
        stop.abort();
      }),
    );
    await Promise.all(workers);
    if (first !== undefined) throw first.error;
  }

  #fetchPiece(piece: Piece, stop: AbortSignal): Promise<void> {
    return this.#hub.retrying(async (progressed) => {
      const { file, url } = this.#target;
      const start = piece.start + piece.done;
      const end = piece.start + piece.length;
      const reply = await this.#hub.get(url, { range: `bytes=${start}-${end - 1}`, 'accept-encoding': 'identity' });
      const destroy = () => void reply.body.destroy();
      stop.addEventListener('abort', destroy);
      try {
        this.#refusePage(reply);
        const isRange = reply.status === 206 && rangeStart(reply) === start;
        const isAll = reply.status === 200 && start === 0 && end === file.size;
        if (isEncoded(reply) || !(isRange || isAll)) throw new NoRanges();
        checkLength(file, reply);
        const body = new Body(reply.body, url);
        await this.#take(body, piece, progressed);
        await body.end();
      } finally {
        stop.removeEventListener('abort', destroy);
        destroy();
      }
    }, stop);
  }

  /** The whole file in one go, which begins anew whenever it is cut. */
  async #fetchWhole(): Promise<void> {
    let farthest = 0;
    await this.#hub.retrying(async (progressed) => {
      await this.#startOver();
      const { file, url } = this.#target;
      const reply = await this.#hub.get(url, { 'accept-encoding': 'identity' });
      try {
        this.#refusePage(reply);
        if (reply.status !== 200)
          throw new ZrankError('HUB_RESPONSE_INVALID', `${url} answered ${reply.status} to a request for all of it`);
        if (!isEncoded(reply)) checkLength(file, reply);
        const body = new Body(decoded(reply), url);
        for (const piece of this.#journal.pieces) {
          await this.#take(body, piece, () => {
            if (this.#journal.completed <= farthest) return;
            farthest = this.#journal.completed;
            progressed();
          });
        }
      } finally {
        reply.body.destroy();
      }
    });
  }

  #refusePage(reply: Reply): void {
    const { file, url } = this.#target;
    if (!isPage(reply.headers['content-type'], '') || /\.html?$/.test(file.path)) return;
    throw new ZrankError(
      'HUB_RESPONSE_INVALID',
      `${url} answered with a page in place of ${file.path}; a proxy may be in between`,
    );
  }

  /** Writes what a body brings, up to the end of a piece. Throws TransientError where it ends before. */
  async #take(body: Body, piece: Piece, progressed: () => void): Promise<void> {
    const { stallMs, signal } = this.#target;
    const writer = new PieceWriter(this.#output, this.#journal, piece, (bytes) => {
      this.#target.onBytes(bytes);
      this.#advance();
    });
    let began = performance.now();
    let bytes = 0;
    const isFast = () => bytes > 0 && bytes >= (leastRate * (performance.now() - began)) / 1000;
    try {
      while (writer.room > 0) {
        throwIfAborted(signal);
        const chunk = await body.read(writer.room);
        bytes += chunk.length;
        await writer.push(chunk);
        if (performance.now() - began < 2 * stallMs) continue;
        if (!isFast()) throw new TransientError(`${this.#target.url} brings less than ${leastRate} bytes a second`);
        began = performance.now();
        bytes = 0;
        progressed();
      }
    } finally {
      await writer.finish();
      // A connection that was cut has brought something all the same.
      if (isFast()) progressed();
    }
  }
}

/** Python counts and clears what is called *.incomplete, too. */
function partialPath(path: string): string {
  return `${path}.zrank.incomplete`;
}

function mismatch({ path }: HubFile, problem: string): ZrankError {
  return new ZrankError(
    'CHECKSUM_MISMATCH',
    `${path}: ${problem}; pull again, and if it stays so, tell who keeps the hub`,
  );
}

/** Throws CHECKSUM_MISMATCH where a reply says that the file has another length than the hub lists. */
function checkLength(file: HubFile, { status, headers }: Reply): void {
  const length = status === 206 ? /\/(\d+)\s*$/.exec(String(headers['content-range']))?.[1] : headers['content-length'];
  if (length === undefined || Number(length) === file.size) return;
  throw mismatch(file, `the hub lists ${file.size} bytes, and ${length} would come`);
}
