import { newSessionColumns, renewedValues, sessionValues } from '../session-values.ts';
import type { ChangeOf } from './changes.ts';
import type { Connection } from './connection.ts';
import { packKey } from './key.ts';
import { count } from './statements.ts';

const insert = `
  INSERT INTO sessions (version, ${newSessionColumns}) VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  ON CONFLICT DO NOTHING`;
const renew = `
  UPDATE sessions SET version = version + 1, cookie_digest = $1, auth_time = $2, amr = $3, acr = $4, ip = $5, user_agent = $6,
    last_seen_at = $7, sso_idle = $8, sso_until = $9, ends_at = $10
  WHERE sid = $11 AND version = $12 AND ended_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM sessions other WHERE other.cookie_digest = $1 AND other.sid <> $11)`;

/** Creates a session; false: its sid or its cookie is taken. */
export async function createSession(connection: Connection, { session }: ChangeOf<'create-session'>): Promise<boolean> {
  const inserted = await count(connection, insert, sessionValues(session, packKey));
  return inserted === 1;
}

/** Renews a session; false: another version, ended, not there, or another session has that cookie. */
export async function renewSession(
  connection: Connection,
  { sid, expect, renewed }: ChangeOf<'renew-session'>,
): Promise<boolean> {
  const updated = await count(connection, renew, [...renewedValues(renewed, packKey), packKey(sid), expect]);
  return updated === 1;
}
