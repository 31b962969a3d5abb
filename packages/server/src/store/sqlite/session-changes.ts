import type { DatabaseSync } from 'node:sqlite';
import type { ChangeOf } from './changes.ts';
import { packKey } from './key.ts';

/** The changes of sessions, but for their ending. */
export function prepareSessionChanges(db: DatabaseSync) {
  const insert = db.prepare(`
    INSERT INTO sessions (sid, version, user_id, cookie_digest, auth_time, amr, acr, created_at, ip, user_agent,
      last_seen_at, sso_idle, sso_until, ends_at, ended_at, end_reason)
    VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`);
  const renew = db.prepare(`
    UPDATE sessions SET version = version + 1, cookie_digest = ?1, auth_time = ?2, amr = ?3, acr = ?4, ip = ?5, user_agent = ?6,
      last_seen_at = ?7, sso_idle = ?8, sso_until = ?9, ends_at = ?10
    WHERE sid = ?11 AND version = ?12 AND ended_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM sessions other WHERE other.cookie_digest = ?1 AND other.sid <> ?11)`);
  const touch = db.prepare(`
    UPDATE sessions SET last_seen_at = max(last_seen_at, ?1), sso_until = max(sso_until, ?2)
    WHERE sid = ?3 AND ended_at IS NULL AND (last_seen_at < ?1 OR sso_until < ?2)`);

  return {
    create({ session }: ChangeOf<'create-session'>): boolean {
      const result = insert.run(
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
      );
      return result.changes === 1;
    },

    renew({ sid, expect, renewed }: ChangeOf<'renew-session'>): boolean {
      const result = renew.run(
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
        packKey(sid),
        expect,
      );
      return result.changes === 1;
    },

    touch({ sid, lastSeenAt, ssoUntil }: ChangeOf<'touch-session'>): boolean {
      touch.run(lastSeenAt, ssoUntil, packKey(sid));
      return true;
    },
  };
}
