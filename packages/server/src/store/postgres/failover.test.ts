import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../../../tests/eventually.ts';
import { openPostgresStore } from './open.ts';
import { assertHeld, newGrants, rotateForever } from './test-load.ts';
import { findPostgres, howToInstall, query, startTestPostgres, type TestPostgres } from './test-postgres.ts';

const bin = findPostgres();
const skip = bin === undefined ? howToInstall : false;
if (skip) console.error(skip);

const replicates = ['wal_level=replica', 'max_wal_senders=4'];
let primary: TestPostgres;
let standby: TestPostgres;

before(async () => {
  if (bin === undefined) return;
  primary = await startTestPostgres(bin, { more: replicates });
  standby = await startTestPostgres(bin, { more: replicates, copyOf: primary });
});
after(async () => {
  await standby?.remove();
  await primary?.remove();
});

test('what a failover without a synchronous standby can lose is said at the start', { skip }, async () => {
  const { connectionString } = primary;
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  await (await openPostgresStore({ connectionString, schema: 'warned', warn })).close();
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /synchronous_standby_names is empty\): a failover can undo the latest sign-outs/);
  await query(connectionString, "ALTER SYSTEM SET synchronous_standby_names = '*'");
  await query(connectionString, 'SELECT pg_reload_conf()');
  await eventually(async () => {
    const [names] = await query<{ synchronous_standby_names: string }>(
      connectionString,
      'SHOW synchronous_standby_names',
    );
    return names?.synchronous_standby_names === '*';
  });
  await (await openPostgresStore({ connectionString, schema: 'warned', warn })).close();
  assert.equal(warnings.length, 1);
});

test('a standby is refused, and passed over where several hosts are named', { skip }, async () => {
  await assert.rejects(openPostgresStore({ connectionString: standby.connectionString, schema: 'standby' }), {
    code: 'store_unavailable',
    message: /standby/,
  });
  const store = await openPostgresStore({ connectionString: both(standby, primary), schema: 'standby' });
  assert.equal((await store.position()).position, 0);
  await store.close();
});

test('a promoted standby is taken up under load, and what a synchronous standby had is there', { skip }, async () => {
  const store = await openPostgresStore({ connectionString: both(primary, standby), schema: 'failover' });
  const other = await openPostgresStore({ connectionString: both(primary, standby), schema: 'failover' });
  let heard = 0;
  other.onEvents(() => {
    heard += 1;
  });
  const grantIds = await newGrants(store, 10);
  await using load = rotateForever(store, grantIds);
  await eventually(load.isUnderWay);
  await primary.stop();
  await delay(200);
  await query(standby.connectionString, 'SELECT pg_promote()');
  await query(standby.connectionString, "ALTER SYSTEM SET synchronous_standby_names = ''");
  await query(standby.connectionString, 'SELECT pg_reload_conf()');
  await eventually(load.hasSucceededAfterFailure);
  const { acknowledged, failures } = await load.stop();
  assert.deepEqual([...new Set(failures)], ['store_unavailable']);
  await assertHeld(store, acknowledged);
  // Signals found their way too.
  await delay(500);
  const before = heard;
  await store.commit([], [{ type: 'session.started', at: 1, actor: { kind: 'server' } }]);
  await eventually(() => heard > before);
  await other.close();
  await store.close();
});

/** A connection string that names the hosts of several servers. */
function both(...servers: TestPostgres[]): string {
  return `postgresql:///postgres?user=tessera&host=${servers.map(({ folder }) => folder).join(',')}`;
}
