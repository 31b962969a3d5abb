import type { GrantBirth } from '../grant-birth.ts';
import type { EndReason, GrantRecord, SessionRecord } from '../records.ts';
import type { EventRecord } from '../store.ts';
import { type Key, unpackKey } from './key.ts';

/** A row of `sessions`. */
export type SessionRow = {
  session_no: number;
  sid: Key;
  version: number;
  user_id: Key;
  cookie_digest: Key;
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
  grant_id: Key;
  sid: Key;
  user_id: Key;
  client_id: Key;
  offline: number;
  birth: string;
  last_ip: string;
  last_user_agent: string;
} & GrantStateRow;

/** What of a grant changes with its use. `origin`: a digest of the last origin. */
export type GrantStateRow = {
  generation: number;
  seal_key_id: string;
  rotated_at: number;
  idle_at: number | null;
  ends_at: number;
  last_used_at: number;
  uses: number;
  replays: number;
  origin: Uint8Array;
  ended_at: number | null;
  end_reason: EndReason | null;
};

/** A row of `events`. */
export type EventRow = {
  position: number;
  type: EventRecord['type'];
  at: number;
  actor: string;
  user_id: Key | null;
  sid: Key | null;
  grant_id: Key | null;
  client_id: Key | null;
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
    kind: row.offline === 1 ? 'offline' : 'session',
    scopes: birth.scopes,
    resources: birth.resources,
    claims: birth.claims,
    authTime: birth.authTime,
    amr: birth.amr,
    acr: birth.acr,
    jkt: birth.jkt,
    clientEpoch: birth.clientEpoch,
    issuerEpoch: birth.issuerEpoch,
    secretDigest: birth.secretDigest,
    idleLimit: birth.idleLimit,
    createdAt: birth.createdAt,
    lastOrigin: { ip: row.last_ip, userAgent: row.last_user_agent },
    ...stateOf(row),
  };
}

/** The grant as it is with this state. */
export function withState(grant: GrantRecord, row: GrantStateRow): GrantRecord {
  return { ...grant, ...stateOf(row) };
}

function stateOf(row: GrantStateRow) {
  return {
    generation: row.generation,
    sealKeyId: row.seal_key_id,
    rotatedAt: row.rotated_at,
    idleAt: row.idle_at,
    endsAt: row.ends_at,
    lastUsedAt: row.last_used_at,
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
