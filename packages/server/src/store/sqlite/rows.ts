import type { EndedGrant } from '../ending-events.ts';
import * as rows from '../rows.ts';
import { type Key, unpackKey } from './key.ts';

/** A row of `sessions`. */
export type SessionRow = rows.SessionRow<Key>;

/** What of a grant changes with its use. `origin`: a digest of the last origin. */
export type GrantStateRow = rows.GrantStateRow & { origin: Uint8Array };

/** A row of `grants` joined with its `grant_state`. */
export type GrantRow = rows.GrantRow<Key> & GrantStateRow;

/** What the event of a grant's ending takes from its rows. */
export type EndedGrantRow = Pick<GrantRow, 'grant_id' | 'sid' | 'user_id' | 'client_id' | 'ends_at'> & {
  /** The JSON of that part of its birth. */
  resources: string;
};

/** A row of `events`. */
export type EventRow = rows.EventRow<Key>;

/** Rows as records. */
export const { toSession, toGrant, toEvent } = rows.rowReader(unpackKey);

/** A grant that is to end. */
export function toEndedGrant(row: EndedGrantRow): EndedGrant {
  return {
    grantId: unpackKey(row.grant_id),
    sid: unpackKey(row.sid),
    userId: unpackKey(row.user_id),
    clientId: unpackKey(row.client_id),
    resources: JSON.parse(row.resources) as string[],
    endsAt: row.ends_at,
  };
}
