import type { EndedGrant } from '../ending-events.ts';
import type { GrantBirth } from '../grant-birth.ts';
import * as rows from '../rows.ts';
import { unpackKey } from './key.ts';

// Named one by one: a statement that is prepared with `*` fails once a later version has added a column, on every node that runs meanwhile.

/** The columns of a row of `sessions`. */
export const sessionColumns =
  'session_no, sid, version, user_id, cookie_digest, auth_time, amr, acr, created_at, ip, user_agent, last_seen_at, sso_idle, sso_until, ends_at, ended_at, end_reason';

/** The columns of a row of `events`. */
export const eventColumns = 'position, type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until';

/** A row of `sessions`. */
export type SessionRow = rows.SessionRow<Buffer>;

/** A row of `grants` joined with its `grant_state`. */
export type GrantRow = rows.GrantRow<Buffer>;

/** What the event of a grant's ending takes from its rows. */
export type EndedGrantRow = Pick<GrantRow, 'grant_id' | 'sid' | 'user_id' | 'client_id' | 'birth' | 'ends_at'>;

/** A row of `events`. */
export type EventRow = rows.EventRow<Buffer>;

/** Rows as records. */
export const { toSession, toGrant, toEvent } = rows.rowReader(unpackKey);

/** A grant that is to end, with the digest of the secret that whoever ends it may have to hold. */
export function toEndedGrant(row: EndedGrantRow): EndedGrant & { secretDigest: string | null } {
  const { resources, secretDigest } = JSON.parse(row.birth) as GrantBirth;
  return {
    grantId: unpackKey(row.grant_id),
    sid: unpackKey(row.sid),
    userId: unpackKey(row.user_id),
    clientId: unpackKey(row.client_id),
    resources,
    secretDigest,
    endsAt: row.ends_at,
  };
}
