/** Numbers in [0, 1) that a seed determines. */
export function seededRandom(seed: number): () => number {
  const random = randomBits(seed);
  return () => (random() >>> 0) / 2 ** 32;
}

/** 32 random bits at a time that a seed determines: Tommy Ettinger's mulberry32. */
export function randomBits(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return mixed ^ (mixed >>> 14);
  };
}
