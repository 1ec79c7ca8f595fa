import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ZrankError } from '../error.js';
import { isBusy, openSqlite, type Database, type Statement } from './sqlite.js';

const pageBytes = 4096;
/** SQLite's index of its log, for logs of this size. */
const logIndexBytes = 65_536;
/** What a score takes in the table and its index, whose pages are two thirds full: 67 were measured. */
const scoreBytes = 72;
/** Pages that a score may change: the table's, the index's at its key and at the key that it replaces, splits. */
const changedPages = 3;

/** Milliseconds until a file that others have locked is given up. */
const openPatience = 2000;
const writePatience = 10_000;
const closePatience = 1000;
/** More scores than these do not wait to be written. */
const maxPending = 65_536;

/**
 * Scores in a SQLite file that processes share, the oldest of which make room for new ones. It never keeps a call from
 * its scores: what another process has locked is missed or written later; a file that cannot be used, or is damaged, is
 * given up with a warning. Calls of the event loop's thread, each a millisecond or so.
 *
 * A ring: `ring.next` is the slot that is written next, so the file keeps its size. The log is as large as its share of
 * the bytes allows; where readers keep it from being emptied, writing waits.
 */
export class ScoreFile {
  readonly #path: string;
  readonly #logBytes: number;
  /** Scores written at once, few enough for a quarter of the log. */
  readonly #batch: number;
  #open: Opened | undefined;
  readonly #pending = new Map<string, number>();
  #flushing: NodeJS.Immediate | NodeJS.Timeout | undefined;
  /** When writing first met a lock, since when none has succeeded. */
  #lockedSince: number | undefined;

  private constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#logBytes = Math.min(8 * 2 ** 20, Math.floor(maxBytes / 4));
    this.#batch = Math.floor(this.#logBytes / 4 / changedPages / pageBytes);
  }

  /** Throws PACKAGE_NOT_FOUND where there is no SQLite. */
  static async open(path: string, maxBytes: number): Promise<ScoreFile> {
    const file = new ScoreFile(path, maxBytes);
    try {
      await mkdir(dirname(path), { recursive: true });
      const database = await openSqlite(path);
      try {
        await withPatience(openPatience, () => prepareFile(database, maxBytes, file.#logBytes));
        file.#open = openedOf(database);
      } catch (error) {
        database.close();
        throw error;
      }
    } catch (error) {
      if (error instanceof ZrankError) throw error;
      file.#giveUp(error);
    }
    return file;
  }

  /** The hash of a file's content, as long as `state` tells that it is the same file. */
  async rememberHash(path: string, state: string, hash: () => Promise<string>): Promise<string> {
    const known = this.#attempt((open) => open.hashOf.get(path, state)?.['hash']);
    if (typeof known === 'string') return known;
    const made = await hash();
    this.#attempt((open) => open.keepHash.run(path, state, made));
    return made;
  }

  /** The logits of keys, 16 bytes in latin1 each; undefined where there is none. */
  find(keys: readonly string[]): (number | undefined)[] {
    const found: (number | undefined)[] = new Array(keys.length).fill(undefined);
    this.#attempt((open) =>
      inTransaction(open.database, 'BEGIN', () => {
        const { next, slots } = ringOf(open);
        keys.forEach((key, i) => {
          const row = open.find.get(Buffer.from(key, 'latin1'));
          const logit = row && readEntry(key, row['entry']);
          if (logit === undefined) return;
          found[i] = logit;
          // What is asked for goes to the front before its turn to be overwritten.
          if ((next + slots - (row!['slot'] as number)) % slots > slots / 2) this.keep(key, logit);
        });
      }),
    );
    return found;
  }

  /** Writes a score soon. */
  keep(key: string, logit: number): void {
    if (this.#open === undefined || this.#pending.size >= maxPending) return;
    this.#pending.set(key, logit);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  /** Writes what waits, for a second at most. */
  async close(): Promise<void> {
    const deadline = performance.now() + closePatience;
    while (this.#pending.size > 0 && this.#open !== undefined && performance.now() < deadline) {
      this.#flush();
      if (this.#lockedSince !== undefined) await setTimeout(retryDelay());
    }
    this.#pending.clear();
    this.#shut();
  }

  /** Writes some of what waits, then lets the event loop go on; the rest follows. */
  #flush(): void {
    this.#stopFlushing();
    const scores = firstOf(this.#pending, this.#batch);
    const wasWritten = this.#attempt((open) => this.#write(open, scores)) ?? false;
    if (wasWritten) for (const [key] of scores) this.#pending.delete(key);
    const now = performance.now();
    this.#lockedSince = wasWritten ? undefined : (this.#lockedSince ?? now);
    if (now - (this.#lockedSince ?? now) > writePatience) this.#giveUp(new Error('another process has locked it'));
    if (this.#pending.size === 0 || this.#open === undefined) return;
    if (wasWritten) this.#flushing = setImmediate(() => this.#flush());
    else this.#flushing = globalThis.setTimeout(() => this.#flush(), retryDelay()).unref();
  }

  /** False where the log has no room: readers of other processes keep it from being emptied. */
  #write(open: Opened, scores: readonly (readonly [key: string, logit: number])[]): boolean {
    const wasWritten = inTransaction(open.database, 'BEGIN IMMEDIATE', () => {
      // Only who holds the lock writes to the log.
      if (sizeOf(`${this.#path}-wal`) > (this.#logBytes * 3) / 4) return false;
      const { next, slots } = ringOf(open);
      scores.forEach(([key, logit], i) =>
        open.write.run((next + i) % slots, Buffer.from(key, 'latin1'), writeEntry(key, logit)),
      );
      open.advance.run((next + scores.length) % slots);
      return true;
    });
    if (!wasWritten) open.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return wasWritten;
  }

  /** What `work` gives; nothing where the file is locked now, or cannot be used any more. */
  #attempt<T>(work: (open: Opened) => T): T | undefined {
    if (this.#open === undefined) return undefined;
    try {
      return work(this.#open);
    } catch (error) {
      if (!isBusy(error)) this.#giveUp(error);
      return undefined;
    }
  }

  #giveUp(why: unknown): void {
    process.emitWarning(
      `zrank's cache of scores ${this.#path} cannot be used (${(why as Error).message}): this process goes on without ` +
        'it. Where the file is damaged, delete it, and those beside it, when no process uses it',
    );
    this.#pending.clear();
    this.#shut();
  }

  #shut(): void {
    this.#stopFlushing();
    try {
      this.#open?.database.close();
    } catch {
      // It was damaged: there is nothing to lose.
    }
    this.#open = undefined;
  }

  #stopFlushing(): void {
    clearImmediate(this.#flushing as NodeJS.Immediate | undefined);
    clearTimeout(this.#flushing as NodeJS.Timeout | undefined);
    this.#flushing = undefined;
  }
}

interface Opened {
  database: Database;
  ring: Statement;
  advance: Statement;
  find: Statement;
  write: Statement;
  hashOf: Statement;
  keepHash: Statement;
}

function openedOf(database: Database): Opened {
  return {
    database,
    ring: database.prepare('SELECT next, slots FROM ring'),
    advance: database.prepare('UPDATE ring SET next = ?'),
    find: database.prepare('SELECT slot, entry FROM scores WHERE key = ?'),
    write: database.prepare('INSERT OR REPLACE INTO scores (slot, key, entry) VALUES (?, ?, ?)'),
    hashOf: database.prepare('SELECT hash FROM files WHERE path = ? AND state = ?'),
    keepHash: database.prepare('INSERT OR REPLACE INTO files (path, state, hash) VALUES (?, ?, ?)'),
  };
}

/** Makes the tables where they are not there, and the file of the size that is asked for. */
function prepareFile(database: Database, maxBytes: number, logBytes: number): void {
  const maxPages = Math.floor((maxBytes - logBytes - logIndexBytes) / pageBytes);
  const slots = Math.floor((maxPages * pageBytes) / scoreBytes);
  database.exec(`PRAGMA busy_timeout = 0; PRAGMA cell_size_check = ON; PRAGMA page_size = ${pageBytes}`);
  const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
  if (mode !== 'wal') throw new Error('its folder is on a file system without shared memory');
  // The event loop waits for no disk. A crash of the system may damage the file, which is found out.
  database.exec(`PRAGMA synchronous = OFF; PRAGMA journal_size_limit = ${Math.floor(logBytes / 2)}`);
  database.exec(`PRAGMA wal_autocheckpoint = ${Math.floor(logBytes / 2 / pageBytes)}`);
  inTransaction(database, 'BEGIN IMMEDIATE', () => {
    database.exec(
      `CREATE TABLE IF NOT EXISTS scores (slot INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, entry BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, state TEXT NOT NULL, hash TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS ring (next INTEGER NOT NULL, slots INTEGER NOT NULL)`,
    );
    const known = database.prepare('SELECT slots FROM ring').get()?.['slots'];
    if (known !== slots) database.exec(`DELETE FROM scores; DELETE FROM ring; INSERT INTO ring VALUES (0, ${slots})`);
  });
  const pages = database.prepare('PRAGMA page_count').get()!['page_count'] as number;
  if (pages > maxPages) database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
  database.exec(`PRAGMA max_page_count = ${maxPages}`);
}

function ringOf({ ring }: Opened): { next: number; slots: number } {
  return ring.get() as { next: number; slots: number };
}

function inTransaction<T>(database: Database, begin: string, work: () => T): T {
  database.exec(begin);
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // SQLite has rolled it back itself.
    }
    throw error;
  }
}

/** Bytes of a logit in fp32 and of its checksum. */
const logitBytes = 4;
const sumBytes = 8;

function writeEntry(key: string, logit: number): Buffer {
  const entry = Buffer.alloc(logitBytes + sumBytes);
  entry.writeFloatLE(logit);
  checksum(key, entry).copy(entry, logitBytes);
  return entry;
}

/** The logit; undefined where the bytes are not those that were written under this key: SQLite does not check them. */
function readEntry(key: string, bytes: unknown): number | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.length !== logitBytes + sumBytes) return undefined;
  const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return checksum(key, entry).equals(entry.subarray(logitBytes)) ? entry.readFloatLE() : undefined;
}

function checksum(key: string, entry: Buffer): Buffer {
  const hash = createHash('sha256').update(key, 'latin1').update(entry.subarray(0, logitBytes));
  return hash.digest().subarray(0, sumBytes);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of all) if (first.push(item) === count) break;
  return first;
}

/** Milliseconds, so that processes do not meet again at once. */
function retryDelay(): number {
  return 5 + 20 * Math.random();
}

async function withPatience(milliseconds: number, work: () => void): Promise<void> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      await setTimeout(retryDelay());
    }
  }
}
