/** A source of evenly spread numbers from 0 up to 1: the same seed gives the same numbers on every machine. Source: mulberry32, Tommy Ettinger, public domain. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The time until the next of things that happen independently, so many a second. */
export function nextArrival(random: () => number, perSecond: number): number {
  return -Math.log(1 - random()) / perSecond;
}
