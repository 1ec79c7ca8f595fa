import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { defaultCacheFolder } from '../checkpoint/cache-folder.js';
import type { Placed } from '../devices/device.js';
import type { EncodedPrompt } from '../tokenization/pair-encoder.js';
import { modelKey } from './model-key.js';
import { cacheSizes, type ScoreCacheSetting } from './options.js';
import { ScoreFile } from './score-file.js';

/** What a score takes in memory: its key, a string of 16 bytes, and lru-cache's places for both. */
const scoreBytes = 160;

/** The name tells of the format: another one has another name. */
const fileName = 'scores-1.sqlite';

/**
 * The logits of prompts that one model has scored: the last ones in memory, more of them in a file that processes
 * share. A logit is found by the ids of its whole prompt, so whatever makes a prompt (instruction, truncation, special
 * tokens) needs no part in the key.
 */
export class ScoreCache {
  readonly #memory: LRUCache<string, number>;
  readonly #file: ScoreFile | undefined;
  readonly #model: Buffer;

  private constructor(memoryBytes: number, model: Buffer, file: ScoreFile | undefined) {
    this.#memory = new LRUCache({ max: Math.max(1, Math.floor(memoryBytes / scoreBytes)) });
    this.#model = model;
    this.#file = file;
  }

  /**
   * With a file, hashes the model's files where it has not yet. Throws PACKAGE_NOT_FOUND where there is no SQLite for it.
   */
  static async open(
    setting: ScoreCacheSetting,
    placed: Placed,
    cacheFolder = defaultCacheFolder(),
  ): Promise<ScoreCache> {
    const { memoryBytes, diskBytes } = cacheSizes(setting);
    // In memory there is one model alone.
    if (diskBytes === undefined) return new ScoreCache(memoryBytes, Buffer.alloc(0), undefined);
    const file = await ScoreFile.open(join(cacheFolder, fileName), diskBytes);
    try {
      const model = await modelKey(placed, (path, state, hash) => file.rememberHash(path, state, hash));
      return new ScoreCache(memoryBytes, model, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The logits of prompts by their keys; undefined where there is none. */
  find(keys: readonly string[]): (number | undefined)[] {
    const logits = keys.map((key) => this.#memory.get(key));
    if (this.#file === undefined) return logits;
    const missing = keys.flatMap((_, i) => (logits[i] === undefined ? [i] : []));
    if (missing.length === 0) return logits;
    this.#file.find(missing.map((i) => keys[i]!)).forEach((logit, place) => {
      if (logit === undefined) return;
      const i = missing[place]!;
      logits[i] = logit;
      this.#memory.set(keys[i]!, logit);
    });
    return logits;
  }

  /** Keeps the logits [keys]. */
  keep(keys: readonly string[], logits: Float32Array): void {
    keys.forEach((key, i) => {
      this.#memory.set(key, logits[i]!);
      this.#file?.keep(key, logits[i]!);
    });
  }

  /** 16 bytes in latin1. */
  keyOf({ ids, typeIds = [] }: EncodedPrompt): string {
    const hash = createHash('sha256').update(this.#model);
    hash.update(Int32Array.of(ids.length)).update(Int32Array.from(ids)).update(Uint8Array.from(typeIds));
    return hash.digest().toString('latin1', 0, 16);
  }

  async close(): Promise<void> {
    this.#memory.clear();
    await this.#file?.close();
  }
}
