import { createHash, timingSafeEqual } from 'node:crypto';

/** The bearer tokens that are let in, kept as hashes of one length and compared in constant time. */
export class ApiKeys {
  readonly #hashes: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#hashes = keys.map(hash);
  }

  /** Whether the header `authorization` brings one, or none is needed. */
  admit(authorization: string | undefined): boolean {
    if (this.#hashes.length === 0) return true;
    const given = hash(/^bearer +(.*)$/i.exec(authorization ?? '')?.[1] ?? '');
    // Every key is compared, so that the time does not tell which.
    return this.#hashes.reduce((admitted, key) => timingSafeEqual(key, given) || admitted, false);
  }
}

function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
