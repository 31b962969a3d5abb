import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  findPostgres,
  howToInstall,
  query,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { sampleGrant, sampleSession } from '../../packages/server/src/store/sample-records.ts';
import type { Store } from '../../packages/server/src/store/store.ts';
import { eventually } from '../eventually.ts';
import { basic, claimsOf, ordersApi, refresh, signInTokens, startTestServer, type TestServer } from '../test-server.ts';
import { ordersEdge } from './orders-edge.ts';
import { type Restorable, restorableFile } from './restorable.ts';

const bin = findPostgres();
const main = resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');

describe('tessera move', { skip: bin === undefined ? howToInstall : false }, () => {
  let postgres: TestPostgres;
  let databases = 0;
  before(async () => {
    postgres = await startTestPostgres(bin as string);
  });
  after(() => postgres.remove());

  async function emptyDatabase(): Promise<string> {
    databases += 1;
    await query(postgres.connectionString, `CREATE DATABASE moved_${databases}`);
    return postgres.connectionString.replace(':///postgres?', `:///moved_${databases}?`);
  }

  it('D10: killed again and again it goes on, and a server on Postgres serves the clients, edges and cursors of before', async () => {
    const at = await restorableFile();
    try {
      const url = await emptyDatabase();
      const first = await at.start();
      const edge = ordersEdge(first.issuer);
      await edge.start();
      const lived = await fill(first, at);
      const position = await first.store.position();
      await first.close();

      let kills = 0;
      for (let delayMs = 400; kills < 6; delayMs += 150) {
        const child = startMove(at, url);
        await Promise.race([once(child, 'exit'), sleep(delayMs)]);
        if (child.exitCode !== null) break;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
        kills += 1;
        const isWhole = await query<{ whole: boolean }>(url, "SELECT state LIKE '%done%' AS whole FROM progress").catch(
          () => [],
        );
        if (isWhole[0]?.whole === true) break;
        if (isWhole.length > 0)
          await assert.rejects(
            startTestServer({ config: { store: url }, data: at.data }),
            /not whole yet|moved to Postgres/,
          );
      }
      assert.ok(kills >= 2, `${kills} kills`);
      const said = await at.shell.run(`move --to ${url} --json`);
      assert.equal(said.code, 0, said.err);
      const { tallies } = said.json<{ tallies: Record<string, { count: number }> }>();
      for (const kind of [
        'documents',
        'user_names',
        'audiences',
        'sessions',
        'grants',
        'events',
        'remembered',
        'buckets',
      ])
        assert.ok((tallies[kind]?.count ?? 0) > 0, kind);
      const again = await at.shell.run(`move --to ${url}`);
      assert.match(again.out, /had been moved already/);

      const back = await at.shell.run('session list');
      assert.equal(back.code, 1);
      assert.match(back.err, /was moved to Postgres/);

      const port = Number(new URL(first.issuer).port);
      const second = await startTestServer({ config: { store: url }, data: at.data, port, listen: true });
      try {
        const stands = await second.store.position();
        assert.equal(stands.epoch, position.epoch);
        assert.ok(stands.position >= position.position);
        assert.equal((await refresh(second, lived.refreshToken)).status, 200);
        const form = { grant_type: 'refresh_token', refresh_token: lived.offlineToken };
        assert.equal((await second.post('/token', form, basic('web'))).status, 200);
        for (const token of lived.endedTokens) assert.equal((await refresh(second, token)).status, 400);
        assert.deepEqual(await second.store.getSession(lived.bulk.sid), lived.bulk);
        const more = await signInTokens(second);
        await eventually(() => edge.status().knowledge?.isCurrent === true);
        assert.ok((await edge.verifyAccessToken(factsOf(more.access_token), {})).ok);
        assert.ok(!(await edge.verifyAccessToken(factsOf(lived.endedAccessToken), {})).ok);
        assert.equal(edge.status().feed?.resyncs, 1, 'its cursor is good at the new store');
        const page = await second.store.listSessions({ now: second.now() }, { limit: 1 });
        assert.equal(page.items[0]?.userId, (await second.store.findUser('ada'))?.userId, 'the newest comes first');
      } finally {
        await second.close();
        await edge.close();
      }
    } finally {
      await at.remove();
    }
  });

  it('is refused while a server writes to the source, and into a database that holds another store', async () => {
    const at = await restorableFile();
    const other = await restorableFile();
    try {
      const url = await emptyDatabase();
      const first = await at.start();
      const refused = await at.shell.run(`move --to ${url}`);
      assert.equal(refused.code, 1);
      assert.match(refused.err, /another process has .* open/);
      await first.close();
      assert.equal((await at.shell.run(`move --to ${url}`)).code, 0);
      await (await other.start()).close();
      const taken = await other.shell.run(`move --to ${url}`);
      assert.equal(taken.code, 1);
      assert.match(taken.err, /holds another store/);
      await (await other.start()).close();

      const used = await emptyDatabase();
      await (await startTestServer({ config: { store: used }, data: `${other.shell.folder}/used` })).close();
      assert.match((await other.shell.run(`move --to ${used}`)).err, /holds another store/);
      assert.equal((await other.shell.run('move --to mysql://somewhere')).code, 2);
    } finally {
      await at.remove();
      await other.remove();
    }
  });

  it('a row that differs on the other side is found, and the source stays usable', async () => {
    const at = await restorableFile();
    try {
      const url = await emptyDatabase();
      const first = await at.start();
      await signInTokens(first);
      await first.close();
      await at.shell.run('doctor');
      // Whatever writes the wrong thing: here the database itself.
      await (await startTables(url))();
      await query(
        url,
        `CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.uses := NEW.uses + 1; RETURN NEW; END $$;
         CREATE TRIGGER falsify BEFORE INSERT ON grant_state FOR EACH ROW EXECUTE FUNCTION falsify()`,
      );
      const said = await at.shell.run(`move --to ${url}`);
      assert.equal(said.code, 1);
      assert.match(said.err, /grants differ: 1 here .* 1 there/);
      await (await at.start()).close();
    } finally {
      await at.remove();
    }
  });
});

/** Makes the tables of an empty store. */
async function startTables(url: string): Promise<() => Promise<void>> {
  const { openPostgresStore } = await import('../../packages/server/src/store/postgres/open.ts');
  const store = await openPostgresStore({ connectionString: url });
  return () => store.close();
}

function startMove({ shell }: Restorable, url: string): ChildProcess {
  const flags = ['--conditions=tessera-source', '--disable-warning=ExperimentalWarning'];
  return spawn(process.execPath, [...flags, main, 'move', '--to', url], {
    cwd: shell.folder,
    stdio: 'ignore',
    env: {},
  });
}

function factsOf(token: string) {
  return { method: 'GET', url: ordersApi, authorization: [`Bearer ${token}`], dpop: [] };
}

/** Everything a store can hold: live and ended, session-bound and offline, remembered keys, buckets, events; and enough of it to be interrupted. */
async function fill(test: TestServer, at: Restorable) {
  const { store } = test;
  const live = await signInTokens(test);
  const second = (await refresh(test, live.refresh_token)).body as { access_token: string; refresh_token: string };
  const offline = await signInTokens(test, {
    username: 'bob',
    clientId: 'web',
    parameters: { scope: 'openid orders:read offline_access', prompt: 'consent' },
  });
  assert.equal((await store.getGrant(String(claimsOf(offline.access_token).grant_id)))?.kind, 'offline');
  const ended = await signInTokens(test);
  await test.post('/revoke', { token: ended.refresh_token, client_id: 'spa' });
  await test.post('/revoke', { token: live.access_token, client_id: 'spa' });
  await at
    .browser()
    .authorize({ client_id: 'spa' }, { username: 'ada', password: 'wrong password' })
    .catch(() => undefined);
  const bulk = await addMany(store, 12_000);
  return {
    refreshToken: second.refresh_token,
    offlineToken: offline.refresh_token,
    endedTokens: [ended.refresh_token],
    endedAccessToken: ended.access_token,
    bulk,
  };
}

async function addMany(store: Store, howMany: number) {
  const later = Math.floor(Date.now() / 1000) + 86_400;
  const sessions = Array.from({ length: howMany }, () => sampleSession({ endsAt: later, ssoUntil: later }));
  for (let done = 0; done < howMany; done += 500)
    await Promise.all(
      sessions.slice(done, done + 500).map((session) =>
        store.commit(
          [
            { change: 'create-session', session },
            { change: 'create-grant', grant: sampleGrant(session, { endsAt: later, idleAt: later }) },
          ],
          [
            {
              type: 'session.started',
              at: session.createdAt,
              actor: { kind: 'cli' },
              sid: session.sid,
              data: { n: 1 },
            },
          ],
        ),
      ),
    );
  return (await store.getSession(sessions[howMany >> 1]!.sid))!;
}
