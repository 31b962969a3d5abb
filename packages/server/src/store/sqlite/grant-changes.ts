import { hash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { birthOf } from '../grant-birth.ts';
import type { Origin } from '../records.ts';
import type { ChangeOf } from './changes.ts';
import { type Key, packKey } from './key.ts';

/**
 * The changes of grants, but for their ending. A rotation is one statement on the narrow row: it carries a digest of the origin, and
 * only when the digest differs is the wide row, which holds the origin itself, written too.
 */
export function prepareGrantChanges(db: DatabaseSync) {
  const isTaken = db.prepare('SELECT 1 FROM grant_state WHERE grant_id = ?');
  const isUnended = db.prepare('SELECT 1 FROM sessions WHERE sid = ? AND ended_at IS NULL');
  const insertGrant = db.prepare(`
    INSERT INTO grants (grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const insertState = db.prepare(`
    INSERT INTO grant_state (grant_id, grant_no, generation, seal_key_id, rotated_at, idle_at, ends_at, last_used_at, uses, replays, origin, ended_at, end_reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const rotate = db.prepare(`
    UPDATE grant_state SET generation = coalesce(?, generation + 1), seal_key_id = ?, rotated_at = ?, idle_at = ?, last_used_at = ?, uses = uses + 1
    WHERE grant_id = ? AND generation = ? AND ended_at IS NULL AND origin = ?`);
  const touch = db.prepare(`
    UPDATE grant_state SET idle_at = ?, last_used_at = ?, uses = uses + 1
    WHERE grant_id = ? AND generation = ? AND ended_at IS NULL AND origin = ?`);
  const countReplay = db.prepare('UPDATE grant_state SET replays = replays + 1 WHERE grant_id = ?');
  const moveState = db.prepare(`
    UPDATE grant_state SET origin = ? WHERE grant_id = ? AND generation = ? AND ended_at IS NULL RETURNING grant_no`);
  const moveGrant = db.prepare('UPDATE grants SET last_ip = ?, last_user_agent = ? WHERE grant_no = ?');
  const begin = db.prepare('SAVEPOINT moved');
  const release = db.prepare('RELEASE moved');
  const undo = db.prepare('ROLLBACK TO moved');

  /** Runs `use`; if the grant is as expected but was last used from elsewhere, notes the new origin and runs it again. */
  function from(origin: Origin, grantId: Key, expect: number, use: (digest: Uint8Array) => boolean): boolean {
    const digest = originDigest(origin);
    if (use(digest)) return true;
    begin.run();
    try {
      const moved = moveState.get(digest, grantId, expect) as { grant_no: number } | undefined;
      if (moved !== undefined) moveGrant.run(origin.ip, origin.userAgent, moved.grant_no);
      return moved !== undefined && use(digest);
    } catch (error) {
      if (db.isTransaction) undo.run();
      throw error;
    } finally {
      if (db.isTransaction) release.run();
    }
  }

  return {
    rotate({ grantId, expect, sealKeyId, at, idleAt, origin, generation }: ChangeOf<'rotate-grant'>): boolean {
      const key = packKey(grantId);
      return from(
        origin,
        key,
        expect,
        (digest) => rotate.run(generation ?? null, sealKeyId, at, idleAt, at, key, expect, digest).changes === 1,
      );
    },

    touch({ grantId, expect, at, idleAt, origin }: ChangeOf<'touch-grant'>): boolean {
      const key = packKey(grantId);
      return from(origin, key, expect, (digest) => touch.run(idleAt, at, key, expect, digest).changes === 1);
    },

    countReplay({ grantId }: ChangeOf<'count-replay'>): boolean {
      countReplay.run(packKey(grantId));
      return true;
    },

    create({ grant }: ChangeOf<'create-grant'>): boolean {
      const key = packKey(grant.grantId);
      const sid = packKey(grant.sid);
      // One writer at a time: nothing can end the session between this look and the commit.
      if (isTaken.get(key) !== undefined || isUnended.get(sid) === undefined) return false;
      const inserted = insertGrant.run(
        key,
        sid,
        packKey(grant.userId),
        packKey(grant.clientId),
        grant.kind === 'offline' ? 1 : 0,
        birthOf(grant),
        grant.lastOrigin.ip,
        grant.lastOrigin.userAgent,
      );
      insertState.run(
        key,
        inserted.lastInsertRowid,
        grant.generation,
        grant.sealKeyId,
        grant.rotatedAt,
        grant.idleAt,
        grant.endsAt,
        grant.lastUsedAt,
        grant.uses,
        grant.replays,
        originDigest(grant.lastOrigin),
        grant.endedAt,
        grant.endReason,
      );
      return true;
    },
  };
}

// A digest nobody can collide on purpose: else a thief could pick a user agent that keeps the owner's origin on display.
function originDigest(origin: Origin): Uint8Array {
  return hash('sha256', `${origin.ip}\n${origin.userAgent}`, 'buffer').subarray(0, 12);
}
