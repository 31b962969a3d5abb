import type { ChangeOf, Effects, SharedChange } from './changes.ts';
import type { Connection } from './connection.ts';
import { GrantRows } from './grant-rows.ts';
import { packKey, packText, unpackText } from './key.ts';
import { count, run } from './statements.ts';
import { ThrottleRows } from './throttle-rows.ts';
import { UndoLog } from './undo-log.ts';

const lockDocuments = `
  SELECT kind, id, version FROM documents
  WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::bytea[])) ORDER BY kind, id FOR SHARE`;

// Where somebody holds the row it is passed over: a touch never waits. "free" is read by the update, else it would not be executed.
const touchSessions = `
  WITH asked AS (
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS a(sid, seen, until)
  ), free AS MATERIALIZED (
    SELECT s.sid FROM sessions s JOIN asked USING (sid)
    WHERE s.ended_at IS NULL AND (s.last_seen_at < asked.seen OR s.sso_until < asked.until)
    ORDER BY s.sid FOR NO KEY UPDATE OF s SKIP LOCKED
  )
  UPDATE sessions s SET last_seen_at = greatest(s.last_seen_at, asked.seen), sso_until = greatest(s.sso_until, asked.until)
  FROM free JOIN asked USING (sid)
  WHERE s.sid = free.sid AND s.ended_at IS NULL`;

/**
 * The rows that a batch of commits is about, in three steps: `load` locks and reads them, in one order on all nodes: documents, sessions, grants,
 * remembered keys, buckets, each by id, so that batches that cross wait and never deadlock; `apply` decides one change after the other on what was read; `write`
 * writes the outcome, each row once. What `apply` refused leaves no trace, so many commits share the statements and each is still all or nothing.
 */
export class RowsAtHand {
  readonly #undo = new UndoLog();
  readonly #grants = new GrantRows(this.#undo);
  readonly #throttle = new ThrottleRows(this.#undo);
  readonly #versions = new Map<string, number>();
  readonly #touches = new Map<string, { lastSeenAt: number; ssoUntil: number }>();

  async load(connection: Connection, changes: readonly SharedChange[]): Promise<void> {
    const checks = changes.filter((change) => change.change === 'check');
    if (checks.length > 0) await this.#loadVersions(connection, checks);
    await this.#grants.load(connection, changes);
    await this.#throttle.load(connection, changes);
  }

  /** Applies one change; false: its expectation did not hold, and nothing of it was applied. */
  apply(change: SharedChange, effects: Effects): boolean {
    switch (change.change) {
      case 'rotate-grant':
        return this.#grants.rotate(change);
      case 'touch-grant':
        return this.#grants.touch(change);
      case 'count-replay':
        return this.#grants.countReplay(change);
      case 'end-grants':
        return this.#grants.end(change, effects);
      case 'create-grant':
        return this.#grants.create(change);
      case 'check':
        return this.#versions.get(documentKey(change.kind, change.id)) === change.expect;
      case 'remember':
        return this.#throttle.remember(change);
      case 'fill-bucket':
        return this.#throttle.fillBucket(change);
      case 'empty-bucket':
        return this.#throttle.emptyBucket(change);
      case 'touch-session':
        return this.#touch(change);
    }
  }

  /**
   * Applies all changes of a commit, or none: then the index of the first whose expectation did not hold. `effects` is what they brought about if all were applied.
   */
  applyAll(changes: readonly SharedChange[], effects: Effects): number | undefined {
    const mark = this.#undo.mark();
    const failed = changes.findIndex((change) => !this.apply(change, effects));
    if (failed === -1) return undefined;
    this.#undo.undoTo(mark);
    return failed;
  }

  async write(connection: Connection): Promise<void> {
    await this.#grants.write(connection);
    await this.#throttle.write(connection);
    if (this.#touches.size === 0) return;
    const touches = [...this.#touches];
    await count(connection, touchSessions, [
      touches.map(([sid]) => packKey(sid)),
      touches.map(([, { lastSeenAt }]) => lastSeenAt),
      touches.map(([, { ssoUntil }]) => ssoUntil),
    ]);
  }

  async #loadVersions(connection: Connection, checks: readonly ChangeOf<'check'>[]): Promise<void> {
    const rows = await run<{ kind: string; id: Buffer; version: number }>(connection, lockDocuments, [
      checks.map((check) => check.kind),
      checks.map((check) => packText(check.id)),
    ]);
    for (const row of rows) this.#versions.set(documentKey(row.kind, unpackText(row.id)), row.version);
  }

  #touch({ sid, lastSeenAt, ssoUntil }: ChangeOf<'touch-session'>): boolean {
    const before = this.#touches.get(sid);
    this.#undo.set(this.#touches, sid, {
      lastSeenAt: Math.max(lastSeenAt, before?.lastSeenAt ?? lastSeenAt),
      ssoUntil: Math.max(ssoUntil, before?.ssoUntil ?? ssoUntil),
    });
    return true;
  }
}

function documentKey(kind: string, id: string): string {
  return `${kind}\n${id}`;
}
