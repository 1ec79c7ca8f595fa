import { aPositiveInteger, type Rule } from '../options.js';

/** How large a cache of scores may be. */
export interface ScoreCacheOptions {
  /** Bytes of scores in memory, about 160 each. @default 67108864 */
  memoryBytes?: number;
  /**
   * Bytes of the file in `cacheFolder`, its log included, that all processes of the user share: at least 4194304, and
   * the same for all of them, since one that asks for another size empties it. @default no file
   */
  diskBytes?: number;
}

/** Below it the file's log would be most of it. */
const leastDiskBytes = 4 * 2 ** 20;

const defaults = { memoryBytes: 64 * 2 ** 20 };

/** In words, what they stand for. */
const named = {
  memory: {},
  disk: { diskBytes: 2 ** 30 },
} satisfies Record<string, ScoreCacheOptions>;

export type ScoreCacheSetting = keyof typeof named | ScoreCacheOptions;

export const cachePlaces = Object.keys(named) as readonly (keyof typeof named)[];

/** The sizes that a setting means. */
export function cacheSizes(setting: ScoreCacheSetting): ScoreCacheOptions & typeof defaults {
  const { memoryBytes = defaults.memoryBytes, diskBytes }: ScoreCacheOptions =
    typeof setting === 'string' ? named[setting] : setting;
  return { memoryBytes, diskBytes };
}

const sizes: Readonly<Record<string, (bytes: number) => boolean>> = {
  memoryBytes: () => true,
  diskBytes: (bytes) => bytes >= leastDiskBytes,
};

export const aScoreCache: Rule = {
  expected: `"memory", "disk" or an object of memoryBytes and diskBytes, the latter at least ${leastDiskBytes},`,
  test: (value) => {
    if (typeof value === 'string') return cachePlaces.some((place) => place === value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return Object.entries(value).every(
      ([name, bytes]) =>
        Object.hasOwn(sizes, name) && (bytes === undefined || (aPositiveInteger.test(bytes) && sizes[name]!(bytes))),
    );
  },
};
