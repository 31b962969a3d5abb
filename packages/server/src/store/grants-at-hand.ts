import type { GrantRecord } from './records.ts';

/** A grant as it was read. `key`: its id as the engine writes it; `origin`: the digest of the last origin that goes with `grant.lastOrigin`. */
export type GrantAtHand<Key> = { key: Key; grant: GrantRecord; origin: Uint8Array };

/** How many grants are kept at hand: some 10 MiB. */
const mostGrants = 8192;

/**
 * Grants that were read lately, for what is set at their birth: that never changes, so the next reading needs only the narrow row of what does, which is never
 * kept. The last origin stands with what is kept; its digest in the narrow row tells when it is another.
 */
export class GrantsAtHand<Key> {
  readonly #known = new Map<string, GrantAtHand<Key>>();

  find(grantId: string): GrantAtHand<Key> | undefined {
    return this.#known.get(grantId);
  }

  keep(read: GrantAtHand<Key>): void {
    this.#known.delete(read.grant.grantId);
    if (this.#known.size >= mostGrants) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.set(read.grant.grantId, read);
  }

  forget(grantId: string): void {
    this.#known.delete(grantId);
  }
}
