import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';

/** The seed of a run: from that environment variable, which repeats a run, or a new one. Printed either way. */
export function seedOf(t: Pick<TestContext, 'diagnostic'>, variable = 'TESSERA_SEED'): number {
  const seed = Number(process.env[variable] ?? randomInt(2 ** 31));
  t.diagnostic(`${variable}=${seed}`);
  return seed;
}

/** Numbers from 0 to 1 that are the same for one seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of them, by that randomness. */
export function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T;
}
