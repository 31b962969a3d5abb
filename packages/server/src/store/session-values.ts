import type { SessionRecord } from './records.ts';
import type { Change } from './store.ts';

type Renewed = Extract<Change, { change: 'renew-session' }>['renewed'];

/** The columns that a new session's row is written with, in the order of `sessionValues`; its version is 1. */
export const newSessionColumns =
  'sid, user_id, cookie_digest, auth_time, amr, acr, created_at, ip, user_agent, last_seen_at, sso_idle, sso_until, ends_at, ended_at, end_reason';

/** What they hold. `packKey`: the engine's way to write ids. */
export function sessionValues<Key>(session: SessionRecord, packKey: (id: string) => Key) {
  return [
    packKey(session.sid),
    packKey(session.userId),
    packKey(session.cookieDigest),
    session.authTime,
    JSON.stringify(session.amr),
    session.acr,
    session.createdAt,
    session.origin.ip,
    session.origin.userAgent,
    session.lastSeenAt,
    session.ssoIdle,
    session.ssoUntil,
    session.endsAt,
    session.endedAt,
    session.endReason,
  ];
}

/** What a renewal writes, in the order `cookie_digest, auth_time, amr, acr, ip, user_agent, last_seen_at, sso_idle, sso_until, ends_at`. */
export function renewedValues<Key>(renewed: Renewed, packKey: (id: string) => Key) {
  return [
    packKey(renewed.cookieDigest),
    renewed.authTime,
    JSON.stringify(renewed.amr),
    renewed.acr,
    renewed.origin.ip,
    renewed.origin.userAgent,
    renewed.lastSeenAt,
    renewed.ssoIdle,
    renewed.ssoUntil,
    renewed.endsAt,
  ];
}
