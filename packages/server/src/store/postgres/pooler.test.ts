import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../../../tests/eventually.ts';
import { sampleTime } from '../sample-records.ts';
import { storeContract } from '../store-contract.ts';
import { inspectPostgres } from './inspect.ts';
import { openPostgresStore } from './open.ts';
import { detectPooling } from './pooling-detection.ts';
import { schemaVersion } from './schema.ts';
import { assertHeld, newGrants, rotateForever } from './test-load.ts';
import { findPooler, howToInstallPooler, startTestPooler, type TestPooler } from './test-pooler.ts';
import {
  findPostgres,
  howToInstall,
  openEngine,
  query,
  startTestPostgres,
  type TestPostgres,
} from './test-postgres.ts';

const bin = findPostgres();
const program = findPooler();

if (bin === undefined || program === undefined) {
  const skip = bin === undefined ? howToInstall : howToInstallPooler;
  console.error(skip);
  test('the Postgres engine behind a pooler', { skip }, () => undefined);
} else {
  let server: TestPostgres;
  before(async () => {
    server = await startTestPostgres(bin);
  });
  after(() => server.remove());
  for (const mode of ['transaction', 'session'] as const) behindPooler(mode, program, () => server);

  test('a pooler of statements is refused, in words that help', async () => {
    const pooler = await startTestPooler(program, server, 'statement');
    await assert.rejects(openPostgresStore({ connectionString: pooler.connectionString }), {
      code: 'store_not_usable',
      message: /pooler of statements.*let it pool sessions or transactions/,
    });
    await pooler.remove();
  });

  test('a pooler of transactions is noticed, whichever connection it gives next', async () => {
    for (const settings of [[], ['server_round_robin = 1'], ['default_pool_size = 1'], ['min_pool_size = 8']]) {
      const pooler = await startTestPooler(program, server, 'transaction', settings);
      const { connectionString } = pooler;
      for (let round = 0; round < 5; round += 1) {
        // Others that come and go.
        const others = settings[0]?.includes('= 1')
          ? []
          : [1, 2, 3].map(() => query(connectionString, 'SELECT pg_sleep(0.02)'));
        const pooling = await detectPooling(connectionString);
        assert.equal(pooling, 'transaction', settings.join());
        await Promise.all(others);
      }
      await pooler.remove();
    }
  });

  test('the server itself is taken for what it is', async () => {
    const { connectionString } = server;
    assert.equal(await detectPooling(connectionString), 'session');
  });
}

function behindPooler(mode: 'transaction' | 'session', program: string, server: () => TestPostgres): void {
  describe(`behind a pooler of ${mode}s`, () => {
    let pooler: TestPooler;
    before(async () => {
      pooler = await startTestPooler(program, server(), mode);
    });
    after(() => pooler.remove());
    storeContract(`Postgres behind a pooler of ${mode}s`, () => openEngine(pooler));

    test('it says at the start what it does without', async () => {
      const { connectionString } = pooler;
      const warnings: string[] = [];
      const store = await openPostgresStore({
        connectionString,
        schema: 'warned',
        warn: (text) => warnings.push(text),
      });
      await store.close();
      assert.equal(warnings.length, mode === 'transaction' ? 1 : 0);
      if (mode === 'transaction')
        assert.match(warnings[0]!, /pooler of transactions: without prepared statements and signals/);
    });

    test('it leaves no setting on connections that others get', async () => {
      const { connectionString } = pooler;
      const store = await openPostgresStore({ connectionString, schema: 'settings' });
      await Promise.all(Array.from({ length: 20 }, () => store.position()));
      await store.close();
      await inspectPostgres(connectionString);
      for (let ask = 0; ask < 30; ask += 1) {
        const [row] = await query<{ lock_timeout: string; search_path: string }>(
          connectionString,
          "SELECT current_setting('lock_timeout') AS lock_timeout, current_setting('search_path') AS search_path",
        );
        assert.deepEqual(row, { lock_timeout: '0', search_path: '"$user", public' });
      }
    });

    test('inspecting works', async () => {
      const store = await openPostgresStore({ connectionString: pooler.connectionString });
      assert.equal((await inspectPostgres(pooler.connectionString)).schema, schemaVersion);
      await store.close();
    });

    test('connections cut and the pooler restarted under load: unavailable, then well again, and all holds', async () => {
      const engine = await openEngine(pooler);
      const { store, another } = engine;
      const listening = await another();
      let heard = 0;
      listening.onEvents(() => {
        heard += 1;
      });
      const grantIds = await newGrants(store, 20);
      await using load = rotateForever(store, grantIds);
      await eventually(load.isUnderWay);
      await query(
        server().connectionString,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tessera%'",
      );
      await delay(200);
      for (let restart = 0; restart < 2; restart += 1) {
        await pooler.stop();
        await delay(100);
        await pooler.start();
        await eventually(load.hasSucceededAfterFailure);
      }
      const { acknowledged, failures } = await load.stop();
      assert.ok(failures.length > 0, 'somebody was told');
      assert.deepEqual([...new Set(failures)], ['store_unavailable']);
      await assertHeld(store, acknowledged);
      const before = heard;
      await store.commit([], [{ type: 'session.started', at: sampleTime, actor: { kind: 'server' }, sid: 'again' }]);
      await eventually(() => heard > before);
      await engine.close();
    });
  });
}
