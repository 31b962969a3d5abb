import type { Seconds } from '@tessera/protocol';

/** How full a bucket is as of a moment, and how fast it leaks. */
export type Level = { level: number; at: Seconds; leakPerSecond: number };

/** A bucket after something was added to it; `last`: as it was, if it held anything. Pure. */
export function filled(
  last: Level | undefined,
  { add, leakPerSecond, at }: { add: number; leakPerSecond: number; at: Seconds },
): Level {
  if (last === undefined) return { level: Math.max(0, add), at, leakPerSecond };
  // A node whose clock is behind sees no time pass, and takes none back.
  const leaked = last.leakPerSecond * Math.max(0, at - last.at);
  return { level: Math.max(0, Math.max(0, last.level - leaked) + add), at: Math.max(at, last.at), leakPerSecond };
}

/** When a bucket is empty again, if nothing is added; one that does not leak, never: as a number that every engine and its dumps can keep. Pure. */
export function emptyAt({ level, at, leakPerSecond }: Level): number {
  return leakPerSecond > 0 ? at + level / leakPerSecond : Number.MAX_VALUE;
}
