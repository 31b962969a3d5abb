import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { sampleEnding, sampleGrant, sampleSession, sampleTime } from '../sample-records.ts';
import type { Change } from '../store.ts';
import { openSqliteStore } from './open.ts';
import { migrations } from './schema.ts';

const now = sampleTime;

test('D10 what a file of version 1 holds is found, and what a process of version 1 adds to it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-due-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'store.db');
  const old = new DatabaseSync(file);
  old.exec('PRAGMA journal_mode = WAL');
  old.exec(migrations[0]!.sql);
  old.exec('PRAGMA user_version = 1; PRAGMA application_id = 0x54455353');
  // More than one look makes entries for.
  insertAsOldProcess(old, 'a', 40_000);
  const store = await openSqliteStore({ file });
  insertAsOldProcess(old, 'b', 50);
  for (let isEmpty = false; !isEmpty; ) {
    const { sessions, grants } = await store.findLapsed(now + 10, 3000);
    const left = old.prepare('SELECT count(*) AS n FROM due_backfill').get() as { n: number };
    isEmpty = left.n === 0 && sessions.length + grants.length === 0;
    await store.commit([
      ...grants.map(({ grantId }): Change => ({ change: 'end-grants', where: { grantId }, ending: sampleEnding() })),
      ...sessions.map(
        ({ sid }): Change => ({ change: 'end-sessions', where: { sid }, offline: false, ending: sampleEnding() }),
      ),
    ]);
  }
  const ended = (table: string) =>
    old.prepare(`SELECT count(*) AS n FROM ${table} WHERE ended_at IS NOT NULL`).get()?.n;
  assert.deepEqual([ended('sessions'), ended('grant_state')], [40_050, 40_050]);
  old.close();
  await store.close();
});

test('D6 what ended leaves no entry behind once its moment has come', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-due-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'store.db');
  const store = await openSqliteStore({ file });
  const session = sampleSession();
  const grant = sampleGrant(session);
  await store.commit([
    { change: 'create-session', session },
    { change: 'create-grant', grant },
    { change: 'end-sessions', where: { sid: session.sid }, offline: true, ending: sampleEnding() },
  ]);
  const look = new DatabaseSync(file, { readOnly: true });
  const entries = () =>
    look.prepare('SELECT (SELECT count(*) FROM sessions_due) + (SELECT count(*) FROM grants_due) AS n').get()?.n;
  assert.notEqual(entries(), 0);
  assert.deepEqual(await store.findLapsed(Math.max(session.endsAt, grant.endsAt), 10), { sessions: [], grants: [] });
  assert.equal(entries(), 0);
  look.close();
  await store.close();
});

test('looking when nothing is due writes nothing, so nobody hears of it', async () => {
  const store = await openSqliteStore({ file: ':memory:' });
  let heard = 0;
  store.onEvents(() => {
    heard += 1;
  });
  for (let look = 0; look < 20; look += 1) await store.findLapsed(now, 10);
  assert.equal(heard, 0);
  await store.close();
});

/** Sessions with a grant each, by the statements of version 1, which know nothing of entries. */
function insertAsOldProcess(db: DatabaseSync, prefix: string, count: number): void {
  const session = db.prepare(
    `INSERT INTO sessions VALUES (NULL, ?1, 1, ?1, ?1, ${now}, '[]', '', ${now}, '', '', ${now}, 60, ${now + 10}, ${now + 9000}, NULL, NULL)`,
  );
  const grant = db.prepare(`INSERT INTO grants VALUES (NULL, ?1, ?1, ?1, 'c', 0, '{"resources":[]}', '', '')`);
  const state = db.prepare(
    `INSERT INTO grant_state VALUES (?1, ?2, 1, 'k1', ${now}, ${now + 10}, ${now + 9000}, ${now}, 0, 0, x'', NULL, NULL)`,
  );
  db.exec('BEGIN IMMEDIATE');
  for (let index = 0; index < count; index += 1) {
    const id = `${prefix}${index}`;
    session.run(id);
    state.run(id, grant.run(id).lastInsertRowid);
  }
  db.exec('COMMIT');
}
