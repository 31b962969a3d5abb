import type { DatabaseSync } from 'node:sqlite';
import { newSessionColumns, renewedValues, sessionValues } from '../session-values.ts';
import type { ChangeOf } from './changes.ts';
import { packKey } from './key.ts';

/** The changes of sessions, but for their ending. */
export function prepareSessionChanges(db: DatabaseSync) {
  const insert = db.prepare(`
    INSERT INTO sessions (version, ${newSessionColumns}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
      const result = insert.run(...sessionValues(session, packKey));
      return result.changes === 1;
    },

    renew({ sid, expect, renewed }: ChangeOf<'renew-session'>): boolean {
      const result = renew.run(...renewedValues(renewed, packKey), packKey(sid), expect);
      return result.changes === 1;
    },

    touch({ sid, lastSeenAt, ssoUntil }: ChangeOf<'touch-session'>): boolean {
      touch.run(lastSeenAt, ssoUntil, packKey(sid));
      return true;
    },
  };
}
