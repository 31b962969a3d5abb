import type { GrantBirth } from './grant-birth.ts';
import type { EndReason, GrantRecord, SessionRecord } from './records.ts';
import type { EventRecord } from './store.ts';

/** A row of `sessions`. */
export type SessionRow<Key> = {
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
export type GrantRow<Key> = {
  grant_no: number;
  grant_id: Key;
  sid: Key;
  user_id: Key;
  client_id: Key;
  offline: boolean | number;
  birth: string;
  last_ip: string;
  last_user_agent: string;
} & GrantStateRow;

/** What of a grant changes with its use. */
export type GrantStateRow = {
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

/** The narrow row of a grant as an array, which costs half of an object; `origin`: the digest that `grant_state` keeps. */
export type GrantStateColumns = [
  generation: number,
  sealKeyId: string,
  rotatedAt: number,
  idleAt: number | null,
  endsAt: number,
  lastUsedAt: number,
  uses: number,
  replays: number,
  endedAt: number | null,
  endReason: EndReason | null,
  origin: Uint8Array,
];

/** Their names, in that order. */
export const grantStateColumns =
  'generation seal_key_id rotated_at idle_at ends_at last_used_at uses replays ended_at end_reason origin'.split(' ');

/** A row of `events`. */
export type EventRow<Key> = {
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

/**
 * How an engine's rows become records; `unpackKey` is the engine's way to write ids, all else is the same in each. `toGrant` takes a row of `grants` joined with its `grant_state`.
 */
export function rowReader<Key>(unpackKey: (key: Key) => string) {
  return {
    toSession: (row: SessionRow<Key>) => toSession(unpackKey, row),
    toGrant: (row: GrantRow<Key>) => toGrant(unpackKey, row),
    toEvent: (row: EventRow<Key>) => toEvent(unpackKey, row),
  };
}

function toSession<Key>(unpackKey: (key: Key) => string, row: SessionRow<Key>): SessionRecord {
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

function toGrant<Key>(unpackKey: (key: Key) => string, row: GrantRow<Key>): GrantRecord {
  const birth = JSON.parse(row.birth) as GrantBirth;
  return {
    grantId: unpackKey(row.grant_id),
    sid: unpackKey(row.sid),
    userId: unpackKey(row.user_id),
    clientId: unpackKey(row.client_id),
    kind: row.offline === true || row.offline === 1 ? 'offline' : 'session',
    ...birth,
    lastOrigin: { ip: row.last_ip, userAgent: row.last_user_agent },
    ...stateOf(row),
  };
}

/** The grant as it is with this state, of which the columns come first. */
export function withStateColumns(
  grant: GrantRecord,
  columns: readonly [...GrantStateColumns, ...unknown[]],
): GrantRecord {
  const state = stateOf({
    generation: columns[0],
    seal_key_id: columns[1],
    rotated_at: columns[2],
    idle_at: columns[3],
    ends_at: columns[4],
    last_used_at: columns[5],
    uses: columns[6],
    replays: columns[7],
    ended_at: columns[8],
    end_reason: columns[9],
  });
  return { ...grant, ...state };
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

function toEvent<Key>(unpackKey: (key: Key) => string, row: EventRow<Key>): EventRecord {
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
