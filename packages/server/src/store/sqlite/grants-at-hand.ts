import type { GrantRecord } from '../records.ts';
import { withState } from '../rows.ts';
import { packKey } from './key.ts';
import { selectGrant } from './lists.ts';
import { type GrantRow, type GrantStateRow, toGrant } from './rows.ts';
import type { Statements } from './statements.ts';

const selectState = `
  SELECT generation, seal_key_id, rotated_at, idle_at, ends_at, last_used_at, uses, replays, origin, ended_at, end_reason
  FROM grant_state WHERE grant_id = ?`;

/** How many grants are kept at hand: some 10 MiB. */
const mostGrants = 8192;

/**
 * Reads grants by id, and keeps what is set at their birth: that never changes, so the next reading needs only the narrow row, which is never kept. The last origin
 * stands in the wide row too; its digest in the narrow one tells when to read it again.
 */
export class GrantsAtHand {
  readonly #statements: Statements;
  readonly #known = new Map<string, { grant: GrantRecord; origin: Uint8Array }>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  get(grantId: string): GrantRecord | undefined {
    const known = this.#known.get(grantId);
    if (!known) return this.#read(grantId);
    const state = this.#statements.one<GrantStateRow>(selectState, packKey(grantId));
    return state && Buffer.compare(state.origin, known.origin) === 0
      ? withState(known.grant, state)
      : this.#read(grantId);
  }

  #read(grantId: string): GrantRecord | undefined {
    this.#known.delete(grantId);
    const row = this.#statements.one<GrantRow>(selectGrant, packKey(grantId));
    if (!row) return undefined;
    const grant = toGrant(row);
    if (this.#known.size >= mostGrants) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.set(grantId, { grant, origin: row.origin });
    return grant;
  }
}
