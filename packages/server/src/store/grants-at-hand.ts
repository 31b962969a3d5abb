import type { GrantRecord, UserRecord } from './records.ts';
import { UsedLately } from './used-lately.ts';

/**
 * A grant as it was read. `key`: its id as the engine writes it; `origin`: the digest of the last origin that goes with `grant.lastOrigin`; `user`: its user as last read, beside the text
 * that was read.
 */
export type GrantAtHand<Key> = {
  key: Key;
  grant: GrantRecord;
  origin: Uint8Array;
  user?: { body: string; record: UserRecord };
};

/** How many grants are kept at hand, at least: some 10 MiB, twice that at most. */
const mostGrants = 4096;

/**
 * Grants that were read lately, for what is set at their birth: that never changes, so the next reading needs only the narrow row of what does, which is never
 * kept. The last origin stands with what is kept; its digest in the narrow row tells when it is another.
 */
export class GrantsAtHand<Key> {
  readonly #known = new UsedLately<GrantAtHand<Key>>(mostGrants);

  find(grantId: string): GrantAtHand<Key> | undefined {
    return this.#known.get(grantId);
  }

  keep(read: GrantAtHand<Key>): void {
    this.#known.set(read.grant.grantId, read);
  }

  forget(grantId: string): void {
    this.#known.delete(grantId);
  }
}

/** The user of a stored text. It is read at each use of a token and hardly ever changes: only another text than the last one is parsed. */
export function userOf(body: string | null, known?: Pick<GrantAtHand<unknown>, 'user'>): UserRecord | undefined {
  if (body === null) return undefined;
  if (known?.user?.body === body) return known.user.record;
  const record = JSON.parse(body) as UserRecord;
  if (known) known.user = { body, record };
  return record;
}
