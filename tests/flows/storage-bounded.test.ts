import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import { refresh, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

const refreshes = 500;

describe('D6: storage is bounded by what lives', () => {
  let folder: string;
  let file: string;
  let test: TestServer;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-bounded-'));
    file = join(folder, 'tessera.db');
    test = await startTestServer({ store: await openSqliteStore({ file }) });
  });
  after(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });

  it(`D6 ${refreshes} refreshes of one session leave no row more than the sign-in left`, async () => {
    let { refresh_token: token } = await signInTokens(test);
    const rowsBefore = countRows(file);
    for (let i = 0; i < refreshes; i++) {
      const { status, body } = await refresh(test, token);
      assert.equal(status, 200);
      token = body.refresh_token as string;
    }
    assert.deepEqual(countRows(file), rowsBefore);
    assert.equal(rowsBefore.grant_state, 1);
  });

  it('D6 visitors who never sign in leave no row', async () => {
    const rowsBefore = countRows(file);
    for (let i = 0; i < 20; i++) {
      const url = await test.browser().authorize({
        client_id: 'spa',
        redirect_uri: 'https://spa.example.com/callback',
        scope: 'openid',
        code_challenge: 'A'.repeat(43),
      });
      assert.equal(url.pathname, '/sign-in');
    }
    assert.deepEqual(countRows(file), rowsBefore);
  });

  it('D6 what lapsed is ended with everyone told, and its rows go', async () => {
    const tokens = await signInTokens(test, { username: 'bob' });
    test.advance(8 * 86_400);
    while ((await test.server.endLapsed()) > 0);
    assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
    const told = await test.store.readEvents({ types: ['session.ended', 'grant.ended'], newestFirst: true, limit: 10 });
    assert.ok(told.some((event) => event.data?.reason === 'idle'));
    test.advance(2 * 86_400);
    const bounds = { now: test.now(), endedBefore: test.now() - 3600, eventsBefore: 0, limit: 200 };
    await test.store.sweep(bounds);
    await test.store.sweep(bounds);
    const { sessions, grants, grant_state } = countRows(file);
    assert.deepEqual({ sessions, grants, grant_state }, { sessions: 0, grants: 0, grant_state: 0 });
  });
});

/** The rows of each table that grows, the event log aside. */
function countRows(file: string): Record<string, number> {
  const db = new DatabaseSync(file, { readOnly: true });
  const tables = ['sessions', 'grants', 'grant_state', 'remembered', 'documents', 'events'];
  const counts = tables.map((table) => [
    table,
    (db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n,
  ]);
  db.close();
  return Object.fromEntries(counts);
}
