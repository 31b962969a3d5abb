import type { Seconds } from '@tessera/protocol';

/** `earliest` is a time before which none of them lapses. */
type Shard = { untils: Map<string, Seconds>; earliest: Seconds };

const shardCount = 128;

/**
 * Ids, each with the time until which it matters. Kept in many small maps, because one map of a million stands still for a tenth of a second when it grows or is searched
 * for what has lapsed, and the API's requests with it. Nothing here looks at more than one small map at a time.
 */
export class LapsingIds {
  readonly #shards: Shard[] = Array.from({ length: shardCount }, () => ({
    untils: new Map(),
    earliest: Number.POSITIVE_INFINITY,
  }));
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: string): boolean {
    // A claim is whatever its token says.
    return typeof id === 'string' && this.#shardOf(id).untils.has(id);
  }

  /** Enters an id; one that is there keeps the later of both times. */
  set(id: string, until: Seconds): void {
    const shard = this.#shardOf(id);
    const held = shard.untils.get(id);
    if (held === undefined) this.#size++;
    shard.untils.set(id, Math.max(held ?? 0, until));
    shard.earliest = Math.min(shard.earliest, until);
  }

  /** Takes out what has lapsed, part by part: after each part it answers how many entries that part took. Parts without any are passed over. */
  *sweep(now: Seconds): Generator<number, void> {
    for (const shard of this.#shards) if (shard.earliest <= now) yield this.#sweepShard(shard, now);
  }

  #sweepShard(shard: Shard, now: Seconds): number {
    const before = shard.untils.size;
    let earliest = Number.POSITIVE_INFINITY;
    for (const [id, until] of shard.untils)
      if (until <= now) shard.untils.delete(id);
      else earliest = Math.min(earliest, until);
    shard.earliest = earliest;
    const taken = before - shard.untils.size;
    this.#size -= taken;
    return taken;
  }

  /** By characters near the end, which differ in random ids; the very last of a base64url id may say as little as two bits. */
  #shardOf(id: string): Shard {
    const { length } = id;
    const mixed = id.charCodeAt(length - 3) * 31 + id.charCodeAt(length - 2) * 7 + id.charCodeAt(length - 1);
    return this.#shards[mixed & (shardCount - 1)] as Shard;
  }
}
