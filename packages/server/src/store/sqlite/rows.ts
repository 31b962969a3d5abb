import type { EndedGrant } from '../ending-events.ts';
import * as rows from '../rows.ts';
import { type Key, unpackKey } from './key.ts';

/** A row of `sessions`. */
export type SessionRow = rows.SessionRow<Key>;

/** What of a grant changes with its use. `origin`: a digest of the last origin. */
export type GrantStateRow = rows.GrantStateRow & { origin: Uint8Array };

/** A row of `grants` joined with its `grant_state`. */
export type GrantRow = rows.GrantRow<Key> & GrantStateRow;

/** What the event of a grant's ending takes from its rows; `resources`: the JSON of that part of its birth. */
export type EndedGrantColumns = [grantId: Key, sid: Key, userId: Key, clientId: Key, resources: string, endsAt: number];

/** A row of `events`. */
export type EventRow = rows.EventRow<Key>;

/** Rows as records. */
export const { toSession, toGrant, toEvent } = rows.rowReader(unpackKey);

/** A grant that is to end. */
export function toEndedGrant([grantId, sid, userId, clientId, resources, endsAt]: EndedGrantColumns): EndedGrant {
  return {
    grantId: unpackKey(grantId),
    sid: unpackKey(sid),
    userId: unpackKey(userId),
    clientId: unpackKey(clientId),
    resources: JSON.parse(resources) as string[],
    endsAt,
  };
}
