import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import { FileHash } from './file-hash.js';
import { Body, decoded, isEncoded, rangeStart } from './hub/body.js';
import type { HubConnection, Reply } from './hub/connection.js';
import type { Head } from './hub/direct-client.js';
import { excerptOf, isPage, TransientError } from './hub/errors.js';
import type { HubFile } from './hub/repository.js';
import { PieceJournal, type Piece } from './piece-journal.js';
import type { BlobTarget } from './transfer.js';
import { writeError } from './write-error.js';

/**
 * Connections that bring pieces of one file: at first, of a large one a single one, whose bytes are hashed as soon as
 * they have come; another each second that they bring less than `fastRate` bytes a second together.
 */
const firstConnections = (size: number): number => (size < 2 ** 28 ? 4 : 1);
const mostConnections = 8;
const fastRate = 200e6;
/** Slower than this, over twice the time of a stall, a connection is given up, in bytes a second. */
const leastRate = 1024;

/** The server gives no ranges: 200, 416, or a range of compressed bytes. */
class NoRanges extends Error {}

/**
 * Fetches a file to a path that it gets when it is complete and its hash is right, through PATH.zrank.incomplete, which
 * a next try takes up where this one was cut. Throws CHECKSUM_MISMATCH where what came is not what the hub listed,
 * HUB_RESPONSE_INVALID where it is a page, and then keeps nothing of it; DISK_FULL, FILE_UNWRITABLE, and the codes of
 * hub/errors.ts. Files are written at once, without a turn of the event loop: this is for a thread of its own.
 *
 * @param onBytes as for Transfer.fetch()
 */
export async function fetchBlob(
  hub: HubConnection,
  target: BlobTarget & { stallMs: number },
  onBytes: (bytes: number) => void,
): Promise<void> {
  const download = openDownload(hub, target, onBytes);
  try {
    await download.run();
  } finally {
    await download.close();
  }
}

function openDownload(...[hub, target, onBytes]: Parameters<typeof fetchBlob>): Download {
  const path = partialPath(target.path);
  try {
    const output = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    const journal = PieceJournal.open(`${path}.pieces`, target.file.size, fstatSync(output).size);
    return new Download(hub, target, onBytes, output, journal);
  } catch (error) {
    throw writeError(error);
  }
}

class Download {
  readonly #hub: HubConnection;
  readonly #target: BlobTarget & { stallMs: number };
  readonly #onBytes: (bytes: number) => void;
  readonly #partial: string;
  readonly #output: number;
  readonly #journal: PieceJournal;
  /** Whether bytes of an earlier try are among those that came. */
  #isResumed: boolean;
  #hash: FileHash | undefined;

  constructor(
    hub: HubConnection,
    target: BlobTarget & { stallMs: number },
    onBytes: (bytes: number) => void,
    output: number,
    journal: PieceJournal,
  ) {
    this.#hub = hub;
    this.#target = target;
    this.#onBytes = onBytes;
    this.#partial = partialPath(target.path);
    this.#output = output;
    this.#journal = journal;
    this.#isResumed = journal.completed > 0;
  }

  async run(): Promise<void> {
    this.#onBytes(this.#journal.completed);
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
    if (this.#journal.completed === 0) await this.#remove();
    this.#journal.close();
    closeSync(this.#output);
    await this.#hash?.stop();
  }

  async #remove(): Promise<void> {
    await this.#journal.remove();
    await rm(this.#partial, { force: true });
  }

  async #finish(): Promise<void> {
    await rename(this.#partial, this.#target.path);
    await this.#journal.remove();
  }

  /** Forgets what has come. Returns its beginning. */
  async #startOver(): Promise<string> {
    const buffer = Buffer.alloc(4096);
    const bytesRead = readSync(this.#output, buffer, 0, buffer.length, 0);
    this.#onBytes(-this.#journal.completed);
    this.#journal.reset();
    ftruncateSync(this.#output);
    await this.#hash?.stop();
    this.#hash = undefined;
    this.#isResumed = false;
    return buffer.toString('utf8', 0, bytesRead);
  }

  async #refuse(start: string): Promise<never> {
    await this.#remove();
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
    const began = { at: performance.now(), completed: this.#journal.completed };
    const isSlow = () => this.#journal.completed - began.completed < (fastRate * (performance.now() - began.at)) / 1000;
    await new Promise<void>((resolve) => {
      let [started, running] = [0, 0];
      const connect = (): void => {
        started++;
        running++;
        takeNext()
          .catch((error: unknown) => {
            first ??= { error };
            stop.abort();
          })
          .finally(() => {
            if (--running > 0) return;
            clearInterval(timer);
            resolve();
          });
      };
      const timer = setInterval(() => {
        if (open.length > 0 && started < mostConnections && isSlow()) connect();
      }, 1000);
      for (let i = firstConnections(this.#target.file.size); i > 0; i--) connect();
    });
    if (first !== undefined) throw first.error;
  }

  #fetchPiece(piece: Piece, stop: AbortSignal): Promise<void> {
    return this.#hub.retrying(async (progressed) => {
      const { url } = this.#target;
      const start = piece.start + piece.done;
      const range = { range: `bytes=${start}-${piece.start + piece.length - 1}`, 'accept-encoding': 'identity' };
      const receiver = this.#receiver(piece, progressed);
      try {
        const onReply = (head: Head) => this.#checkRange(head, piece, start);
        if (await this.#hub.getDirect(url, range, onReply, receiver.receive, stop)) return receiver.checkEnd();
        const reply = await this.#hub.get(url, range);
        const destroy = () => void reply.body.destroy();
        stop.addEventListener('abort', destroy);
        try {
          this.#checkRange(reply, piece, start);
          const body = new Body(reply.body, url);
          while (piece.done < piece.length) receiver.receive(await body.read(piece.length - piece.done));
          await body.end();
        } finally {
          stop.removeEventListener('abort', destroy);
          destroy();
        }
      } finally {
        receiver.end();
      }
    }, stop);
  }

  /** Throws NoRanges where a reply is not of the range that was asked for, and what is wrong with the file. */
  #checkRange(reply: Head | Reply, piece: Piece, start: number): void {
    const { file } = this.#target;
    this.#refusePage(reply);
    const isRange = reply.status === 206 && rangeStart(reply) === start;
    const isAll = reply.status === 200 && start === 0 && piece.length === file.size;
    if (isEncoded(reply) || !(isRange || isAll)) throw new NoRanges();
    checkLength(file, reply);
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
          const receiver = this.#receiver(piece, () => {
            if (this.#journal.completed <= farthest) return;
            farthest = this.#journal.completed;
            progressed();
          });
          try {
            while (piece.done < piece.length) receiver.receive(await body.read(piece.length - piece.done));
          } finally {
            receiver.end();
          }
        }
      } finally {
        reply.body.destroy();
      }
    });
  }

  #refusePage({ headers }: Head | Reply): void {
    const { file, url } = this.#target;
    if (!isPage(headers['content-type'], '') || /\.html?$/.test(file.path)) return;
    throw new ZrankError(
      'HUB_RESPONSE_INVALID',
      `${url} answered with a page in place of ${file.path}; a proxy may be in between`,
    );
  }

  /** What takes a reply's bytes into a piece. Throws TransientError where they come too slowly, or end too early. */
  #receiver(piece: Piece, progressed: () => void) {
    const { stallMs, url } = this.#target;
    let began = performance.now();
    let bytes = 0;
    const isFast = () => bytes > 0 && bytes >= (leastRate * (performance.now() - began)) / 1000;
    return {
      receive: (chunk: Uint8Array): void => {
        const own = chunk.subarray(0, piece.length - piece.done);
        this.#write(piece, own);
        bytes += own.length;
        if (performance.now() - began < 2 * stallMs) return;
        if (!isFast()) throw new TransientError(`${url} brings less than ${leastRate} bytes a second`);
        began = performance.now();
        bytes = 0;
        progressed();
      },
      checkEnd: (): void => {
        if (piece.done < piece.length) throw new TransientError(`${url} ended before it was complete`);
      },
      /** A connection that was cut has brought something all the same. */
      end: (): void => {
        if (isFast()) progressed();
      },
    };
  }

  #write(piece: Piece, chunk: Uint8Array): void {
    try {
      for (let done = 0; done < chunk.length; )
        done += writeSync(this.#output, chunk, done, chunk.length - done, piece.start + piece.done + done);
      if (this.#journal.record(piece, piece.done + chunk.length)) this.#advance();
    } catch (error) {
      throw writeError(error);
    }
    this.#onBytes(chunk.length);
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
function checkLength(file: HubFile, { status, headers }: Head | Reply): void {
  const length = status === 206 ? /\/(\d+)\s*$/.exec(String(headers['content-range']))?.[1] : headers['content-length'];
  if (length === undefined || Number(length) === file.size) return;
  throw mismatch(file, `the hub lists ${file.size} bytes, and ${length} would come`);
}
