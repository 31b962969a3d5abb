import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { openPostgresStore } from '../../packages/server/src/store/postgres/open.ts';
import {
  findPostgres,
  howToInstall,
  query,
  startTestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Store } from '../../packages/server/src/store/store.ts';
import { refresh, signInTokens, startTestServer, type TestServer } from '../test-server.ts';

const refreshes = 500;
const tables = ['sessions', 'sessions_due', 'grants', 'grant_state', 'grants_due', 'remembered', 'documents', 'events'];

/** A store on disk, and the rows of each of its tables. */
type Engine = { store: Store; countRows(): Promise<Record<string, number>>; remove(): Promise<void> };

const bin = findPostgres();
if (bin === undefined) console.error(howToInstall);
for (const [name, openEngine, skip] of [
  ['SQLite', onSqlite, false],
  ['Postgres', onPostgres, bin === undefined && howToInstall],
] as const)
  describe(`D6 on ${name}: storage is bounded by what lives`, { skip }, () => {
    let engine: Engine;
    let test: TestServer;
    before(async () => {
      engine = await openEngine();
      test = await startTestServer({ store: engine.store });
    });
    after(async () => {
      await test.close();
      await engine.remove();
    });

    it(`D6 ${refreshes} refreshes of one session leave no row more than the sign-in left`, async () => {
      let { refresh_token: token } = await signInTokens(test);
      // Whoever reads events gives them their places: on Postgres only then are they in their table.
      await test.store.position();
      const rowsBefore = await engine.countRows();
      for (let i = 0; i < refreshes; i++) {
        const { status, body } = await refresh(test, token);
        assert.equal(status, 200);
        token = body.refresh_token as string;
      }
      await test.store.position();
      assert.deepEqual(await engine.countRows(), rowsBefore);
      assert.equal(rowsBefore.grant_state, 1);
    });

    it('D6 visitors who never sign in leave no row', async () => {
      const rowsBefore = await engine.countRows();
      for (let i = 0; i < 20; i++) {
        const url = await test.browser().authorize({
          client_id: 'spa',
          redirect_uri: 'https://spa.example.com/callback',
          scope: 'openid',
          code_challenge: 'A'.repeat(43),
        });
        assert.equal(url.pathname, '/sign-in');
      }
      assert.deepEqual(await engine.countRows(), rowsBefore);
    });

    it('D6 what lapsed is ended with everyone told, and its rows go', async () => {
      const tokens = await signInTokens(test, { username: 'bob' });
      test.advance(8 * 86_400);
      while ((await test.server.endLapsed()) > 0);
      assert.equal((await refresh(test, tokens.refresh_token)).status, 400);
      const told = await test.store.readEvents({
        types: ['session.ended', 'grant.ended'],
        newestFirst: true,
        limit: 10,
      });
      assert.ok(told.some((event) => event.data?.reason === 'idle'));
      test.advance(2 * 86_400);
      const bounds = { now: test.now(), endedBefore: test.now() - 3600, eventsBefore: 0, limit: 200 };
      await test.store.sweep(bounds);
      await test.store.sweep(bounds);
      const { documents: _, events: __, remembered: ___, ...left } = await engine.countRows();
      assert.deepEqual(left, { sessions: 0, sessions_due: 0, grants: 0, grant_state: 0, grants_due: 0 });
    });
  });

async function onSqlite(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-bounded-'));
  const file = join(folder, 'tessera.db');
  return {
    store: await openSqliteStore({ file }),
    countRows: async () => {
      const db = new DatabaseSync(file, { readOnly: true });
      const counts = tables.map((table) => [table, (db.prepare(countIn(table)).get() as { n: number }).n]);
      db.close();
      return Object.fromEntries(counts);
    },
    remove: async () => rmSync(folder, { recursive: true }),
  };
}

async function onPostgres(): Promise<Engine> {
  const server = await startTestPostgres(bin as string);
  return {
    store: await openPostgresStore({ connectionString: server.connectionString }),
    countRows: async () => {
      const [counts] = await query<Record<string, number>>(
        server.connectionString,
        `SELECT ${tables.map((table) => `(${countIn(table)}) AS ${table}`).join(', ')}`,
      );
      return counts as Record<string, number>;
    },
    remove: () => server.remove(),
  };
}

function countIn(table: string): string {
  return `SELECT CAST(count(*) AS integer) AS n FROM ${table}`;
}
