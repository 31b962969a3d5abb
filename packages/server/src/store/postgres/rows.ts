import type { GrantBirth } from '../grant-birth.ts';
import type { EndReason, GrantRecord, SessionRecord } from '../records.ts';
import type { EventRecord } from '../store.ts';
import { unpackKey } from './key.ts';

/** A row of `sessions`. */
export type SessionRow = {
  session_no: number;
  sid: Buffer;
  version: number;
  user_id: Buffer;
  cookie_digest: Buffer;
  auth_time: number;
  amr: string;
  acr: string;
  created_at: number;
  ip: string;
  user_agent: string;
  last_seen_at: number;
  sso_idle: number;
  sso_until: number;
  ends_at: number;
  ended_at: number | null;
  end_reason: EndReason | null;
};

/** A row of `grants` joined with its `grant_state`. */
export type GrantRow = {
  grant_no: number;
  grant_id: Buffer;
  sid: Buffer;
  user_id: Buffer;
  client_id: Buffer;
  offline: boolean;
  birth: string;
  last_ip: string;
  last_user_agent: string;
  generation: number;
  seal_key_id: string;
  rotated_at: number;
  idle_at: number | null;
  ends_at: number;
  last_used_at: number;
  uses: number;
  replays: number;
  ended_at: number | null;
  end_reason: EndReason | null;
};

/** A row of `events`. */
export type EventRow = {
  position: number;
  type: EventRecord['type'];
  at: number;
  actor: string;
  user_id: Buffer | null;
  sid: Buffer | null;
  grant_id: Buffer | null;
  client_id: Buffer | null;
  data: string | null;
  audiences: string | null;
  until: number | null;
};

/** The session a row holds. */
export function toSession(row: SessionRow): SessionRecord {
  return {
    sid: unpackKey(row.sid),
    version: row.version,
    userId: unpackKey(row.user_id),
    cookieDigest: unpackKey(row.cookie_digest),
    authTime: row.auth_time,
    amr: JSON.parse(row.amr),
    acr: row.acr,
    createdAt: row.created_at,
    origin: { ip: row.ip, userAgent: row.user_agent },
    lastSeenAt: row.last_seen_at,
    ssoIdle: row.sso_idle,
    ssoUntil: row.sso_until,
    endsAt: row.ends_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  };
}

/** The grant a joined row holds. */
export function toGrant(row: GrantRow): GrantRecord {
  const birth = JSON.parse(row.birth) as GrantBirth;
  return {
    grantId: unpackKey(row.grant_id),
    sid: unpackKey(row.sid),
    userId: unpackKey(row.user_id),
    clientId: unpackKey(row.client_id),
    kind: row.offline ? 'offline' : 'session',
    ...birth,
    endsAt: row.ends_at,
    generation: row.generation,
    sealKeyId: row.seal_key_id,
    rotatedAt: row.rotated_at,
    idleAt: row.idle_at,
    lastUsedAt: row.last_used_at,
    lastOrigin: { ip: row.last_ip, userAgent: row.last_user_agent },
    uses: row.uses,
    replays: row.replays,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  };
}

/** The event a row holds. */
export function toEvent(row: EventRow): EventRecord {
  return {
    position: row.position,
    type: row.type,
    at: row.at,
    actor: JSON.parse(row.actor),
    ...(row.user_id !== null && { userId: unpackKey(row.user_id) }),
    ...(row.sid !== null && { sid: unpackKey(row.sid) }),
    ...(row.grant_id !== null && { grantId: unpackKey(row.grant_id) }),
    ...(row.client_id !== null && { clientId: unpackKey(row.client_id) }),
    ...(row.data !== null && { data: JSON.parse(row.data) }),
    ...(row.audiences !== null && { audiences: JSON.parse(row.audiences) }),
    ...(row.until !== null && { until: row.until }),
  };
}
