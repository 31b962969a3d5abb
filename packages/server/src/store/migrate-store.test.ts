import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { migrateStore, planMigration, type SchemaDriver, type SchemaSteps } from './migrate-store.ts';
import { openPostgresSchema, postgresSteps } from './postgres/migrate.ts';
import { openPostgresStore } from './postgres/open.ts';
import { schemaVersion as postgresVersion } from './postgres/schema.ts';
import { findPostgres, howToInstall, query, startTestPostgres, type TestPostgres } from './postgres/test-postgres.ts';
import { sampleGrant, sampleResourceServer, sampleSession, sampleTime, sampleUser } from './sample-records.ts';
import { openSqliteSchema, sqliteSteps } from './sqlite/migrate.ts';
import { openSqliteStore } from './sqlite/open.ts';
import { schemaVersion as sqliteVersion } from './sqlite/schema.ts';
import type { Store } from './store.ts';

/** A store with its schema, and a connection of a node of an older version. */
type Place = {
  open(): Promise<Store>;
  schema(): Promise<SchemaDriver>;
  rows(sql: string): Promise<Record<string, unknown>[]>;
  connectOlder(): Promise<() => Promise<void>>;
  own: SchemaSteps;
  version: number;
  /** How the statement of a back-fill names its parameters. */
  parameters: readonly [string, string];
};

const folder = mkdtempSync(join(tmpdir(), 'tessera-migrate-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;

migrating('SQLite', async () => {
  const file = join(folder, `${++places}.db`);
  return {
    open: () => openSqliteStore({ file }),
    schema: () => openSqliteSchema(file),
    async rows(sql) {
      const db = new DatabaseSync(file, { timeout: 2000 });
      try {
        return db.prepare(sql).all() as Record<string, unknown>[];
      } finally {
        db.close();
      }
    },
    async connectOlder() {
      const store = await openSqliteStore({ file });
      return () => store.close();
    },
    own: sqliteSteps,
    version: sqliteVersion,
    parameters: ['?1', '?2'],
  };
});

const bin = findPostgres();
if (bin === undefined) it.skip(`migrations in Postgres: ${howToInstall}`, () => {});
else {
  let server: TestPostgres;
  before(async () => {
    server = await startTestPostgres(bin);
  });
  after(() => server.remove());
  migrating('Postgres', async () => {
    const name = `migrated_${++places}`;
    await query(server.connectionString, `CREATE DATABASE ${name}`);
    const url = server.connectionString.replace(':///postgres?', `:///${name}?`);
    return {
      open: () => openPostgresStore({ connectionString: url }),
      schema: () => openPostgresSchema(url),
      rows: (sql) => query(url, sql),
      async connectOlder() {
        const client = new pg.Client({ connectionString: url, application_name: 'tessera' });
        await client.connect();
        return () => client.end();
      },
      own: postgresSteps,
      version: postgresVersion,
      parameters: ['$1', '$2'],
    };
  });
}

function migrating(engine: string, make: () => Promise<Place>): void {
  describe(`migrations: ${engine}`, () => {
    const silent = { contract: false, onProgress: () => undefined };

    /** A version to come: adds a column, fills it, and takes another one away. */
    function stepsToCome({ own, version, parameters: [after, rows] }: Place): SchemaSteps {
      return {
        migrations: [
          ...own.migrations,
          { version: version + 1, oldestCode: 1, sql: 'ALTER TABLE sessions ADD COLUMN shade text' },
        ],
        backFills: [
          {
            name: 'shades',
            what: 'shades of sessions',
            sql: `UPDATE sessions SET shade = 'shade of ' || user_agent WHERE session_no IN (
              SELECT session_no FROM sessions WHERE session_no > ${after} ORDER BY session_no LIMIT ${rows}) RETURNING session_no AS no`,
          },
        ],
        contractions: [
          { number: 1, needs: version + 1, what: 'the column acr', sql: 'ALTER TABLE sessions DROP COLUMN acr' },
        ],
      };
    }

    /** A few at a time: who asks for more at once than a slow disk writes within seconds is sent away. */
    async function addSessions(store: Store, howMany: number): Promise<void> {
      let left = howMany;
      const add = async () => {
        while (left-- > 0) await store.commit([{ change: 'create-session', session: sampleSession() }]);
      };
      await Promise.all(Array.from({ length: 16 }, add));
    }

    /** Writes to every table and reads from each. */
    async function useAll(store: Store): Promise<void> {
      const session = sampleSession();
      const grant = sampleGrant(session);
      const user = sampleUser();
      const resourceServer = sampleResourceServer();
      const { outcome } = await store.commit(
        [
          { change: 'create-session', session },
          { change: 'create-grant', grant },
          { change: 'put', kind: 'user', expect: 'absent', record: user },
          { change: 'put', kind: 'resource_server', expect: 'absent', record: resourceServer },
          { change: 'fill-bucket', key: grant.grantId, add: 1, leakPerSecond: 1, at: sampleTime },
          { change: 'remember', key: grant.grantId, until: sampleTime + 60, now: sampleTime },
        ],
        [{ type: 'grant.started', at: sampleTime, actor: { kind: 'server' }, grantId: grant.grantId }],
      );
      assert.equal(outcome, 'committed');
      assert.deepEqual((await store.getSession(session.sid))?.sid, session.sid);
      assert.deepEqual((await store.getSignIn({ cookieDigest: session.cookieDigest })).session?.sid, session.sid);
      assert.equal((await store.listSessions({ now: sampleTime }, { limit: 1 })).items.length, 1);
      assert.equal((await store.getGrant(grant.grantId))?.sid, session.sid);
      assert.equal((await store.listGrants({ now: sampleTime, sid: session.sid }, { limit: 5 })).items.length, 1);
      assert.equal((await store.readEvents({ grantId: grant.grantId, limit: 5 })).length, 1);
      assert.equal((await store.findUser(user.username))?.userId, user.userId);
      assert.ok(await store.isRemembered(grant.grantId, sampleTime));
      const lapsed = await store.findLapsed(Number.MAX_SAFE_INTEGER, 1000);
      assert.ok(lapsed.sessions.some(({ sid }) => sid === session.sid));
      assert.ok(lapsed.grants.some(({ grantId }) => grantId === grant.grantId));
    }

    it('D10: opening a store expands it, and afterwards there is nothing to do', async () => {
      const place = await make();
      await (await place.open()).close();
      const driver = await place.schema();
      assert.deepEqual(await planMigration(driver, place.own), []);
      assert.equal((await driver.state()).version, place.version);
      await driver.close();
    });

    it('D10: a plan changes nothing; expanding and back-filling go on beside a server, and once each', async () => {
      const place = await make();
      const store = await place.open();
      await addSessions(store, 1000);
      const steps = stepsToCome(place);
      const driver = await place.schema();
      const planned = (await planMigration(driver, steps)).map(({ what }) => what);
      assert.equal(planned.length, 3);
      assert.match(planned[0] ?? '', /expand to schema/);
      assert.deepEqual(
        (await planMigration(driver, steps)).map(({ what }) => what),
        planned,
      );
      const load = addSessions(store, 50);
      const told: string[] = [];
      await migrateStore(driver, steps, { contract: false, onProgress: (line) => told.push(line) });
      await load;
      assert.ok(told.some((line) => line.startsWith('shades of sessions: ')));
      const [counted] = await place.rows('SELECT count(*) AS count FROM sessions WHERE shade IS NOT NULL');
      assert.ok(Number(counted?.count) >= 1000);
      assert.deepEqual(
        (await planMigration(driver, steps)).map(({ waits }) => waits),
        [true],
      );
      assert.ok((await store.listSessions({ now: 0 }, { limit: 5 })).items.length > 0, 'the older code goes on');
      await driver.close();
      await store.close();
    });

    it('D10: columns that a version to come adds to any table disturb no server that runs', async () => {
      const place = await make();
      const store = await place.open();
      const tables = [
        'documents',
        'user_names',
        'audiences',
        'sessions',
        'grants',
        'grant_state',
        'events',
        'remembered',
        'buckets',
      ];
      // Twice each: what is asked again is prepared.
      for (let asked = 0; asked < 2; asked += 1) await useAll(store);
      for (const table of tables) await place.rows(`ALTER TABLE ${table} ADD COLUMN shade text`);
      for (let asked = 0; asked < 2; asked += 1) await useAll(store);
      await store.close();
    });

    it('a back-fill that was cut short goes on where it was', async () => {
      const place = await make();
      const store = await place.open();
      await addSessions(store, 500);
      await store.close();
      const steps = stepsToCome(place);
      const driver = await place.schema();
      await driver.migrate(steps.migrations.at(-1)!);
      assert.equal(await driver.backFill(steps.backFills[0]!, 300), 300);
      await driver.close();
      await place.rows("UPDATE sessions SET shade = 'mine' WHERE shade IS NOT NULL RETURNING 1");
      const again = await place.schema();
      await migrateStore(again, steps, silent);
      const counts = await place.rows('SELECT shade, count(*) AS count FROM sessions GROUP BY shade ORDER BY count');
      assert.deepEqual(
        counts.map(({ count }) => Number(count)),
        [200, 300],
        'rows that were done are left alone',
      );
      await again.close();
    });

    it('D10: a contraction waits until no older node is connected, and keeps older ones out afterwards', async () => {
      const place = await make();
      await (await place.open()).close();
      const steps = stepsToCome(place);
      const disconnect = await place.connectOlder();
      const driver = await place.schema();
      await assert.rejects(migrateStore(driver, steps, { ...silent, contract: true }), {
        code: 'store_not_usable',
        message: /may still use what is to go \(the column acr\)/,
      });
      await place.rows('SELECT acr FROM sessions');
      await disconnect();
      // Refused is as before: the older version may start again.
      await (await place.open()).close();
      await migrateStore(driver, steps, { ...silent, contract: true });
      await assert.rejects(place.rows('SELECT acr FROM sessions'));
      assert.deepEqual(await planMigration(driver, steps), []);
      await driver.close();
      await assert.rejects(place.open(), { code: 'store_not_usable', message: /install the newer version/ });
    });
  });
}
