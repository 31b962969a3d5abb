import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Edge } from '@tessera/edge';
import { keepLifetime } from '../../packages/server/src/sessions/tokens-until.ts';
import {
  findPostgres,
  howToInstall,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import {
  basic,
  claimsOf,
  eventsOf,
  introspect,
  obtainCode,
  ordersApi,
  redeemCode,
  refresh,
  secret,
  signInTokens,
  type TestServer,
} from '../test-server.ts';
import { ordersEdge } from './orders-edge.ts';
import { type Restorable, restorableDatabase, restorableFile } from './restorable.ts';

const bin = findPostgres();

restoring('the embedded store', restorableFile);

if (bin === undefined) it.skip(`restore in Postgres: ${howToInstall}`, () => {});
else {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startTestPostgres(bin);
  });
  after(() => postgres.remove());
  restoring('Postgres', () => restorableDatabase(postgres, bin));
}

function restoring(engine: string, make: () => Promise<Restorable>): void {
  describe(`going back in time: ${engine}`, () => {
    const on = (title: string, body: (at: Restorable) => Promise<void>): void => {
      it(title, async () => {
        const at = await make();
        try {
          await body(at);
        } finally {
          await at.remove();
        }
      });
    };

    on(
      'A9 D1: resume: who signed out stays out, everywhere; honest clients go on; a thief ends the grant as ever',
      async (at) => {
        const first = await at.start();
        const edge = await startEdge(first);
        try {
          const honest = await signInTokens(first);
          const spent = await rotated(first, honest.refresh_token);
          const leaving = await signInTokens(first, { username: 'bob' });
          const single = await signInTokens(first);
          await at.backUp();

          // The time that will be lost. Bob signs out of what the backup knows and of what it does not.
          const stolen = await rotated(first, spent.refresh_token);
          const newest = await rotated(first, (await rotated(first, stolen.refresh_token)).refresh_token);
          const browser = at.browser();
          const unknown = await signInTokens(first, { browser, username: 'bob' });
          await signOutEverywhere(first, browser);
          await first.post('/revoke', { token: single.access_token, client_id: 'spa' });
          for (const { access_token } of [leaving, unknown, single])
            assert.notEqual(await untilRefused(edge, access_token), 'never');
          await first.close();

          const said = await at.restore('resume');
          assert.equal(said.code, 0, said.err);
          assert.match(said.out, /ended again 1 session /);
          if (engine !== 'Postgres') assert.equal(statSync(join(at.data, 'tessera.db')).mode & 0o777, 0o600);
          const second = await at.start();
          try {
            await untilResynced(edge);
            for (const tokens of [leaving, unknown]) {
              assert.equal((await refresh(second, tokens.refresh_token)).body.error, 'invalid_grant');
              assert.equal((await introspect(second, tokens.access_token)).active, false);
              assert.ok(!(await verify(edge, tokens.access_token)).ok, 'an unexpired JWT of a session that ended');
            }
            assert.equal((await introspect(second, single.access_token)).active, false);
            assert.ok(!(await verify(edge, single.access_token)).ok);
            // An edge that was not there before knows it too.
            const newcomer = await startEdge(second);
            for (const { access_token } of [leaving, unknown, single])
              assert.ok(!(await verify(newcomer, access_token)).ok);
            await newcomer.close();

            const resumed = await rotated(second, newest.refresh_token);
            assert.equal((await introspect(second, resumed.access_token)).active, true);
            assert.ok((await verify(edge, resumed.access_token)).ok);
            const [event] = await eventsOf(second, 'grant.resumed');
            assert.equal(event?.grantId, claimsOf(resumed.access_token).grant_id);
            const goesOn = await rotated(second, resumed.refresh_token);

            second.advance(31);
            assert.equal((await refresh(second, stolen.refresh_token)).body.error, 'invalid_grant');
            assert.equal((await eventsOf(second, 'refresh.reused')).length, 1);
            assert.equal((await refresh(second, goesOn.refresh_token)).body.error, 'invalid_grant', 'the grant ended');
          } finally {
            await second.close();
          }
        } finally {
          await edge.close();
        }
      },
    );

    on('A9: reauthenticate: everybody signs in again, edges hear of it, cookies too', async (at) => {
      const first = await at.start();
      const edge = await startEdge(first);
      try {
        const browser = at.browser();
        const honest = await signInTokens(first, { browser });
        await at.backUp();
        const newest = await rotated(first, honest.refresh_token);
        assert.ok((await verify(edge, newest.access_token)).ok);
        await first.close();
        const said = await at.restore('reauthenticate');
        assert.equal(said.code, 0, said.err);
        const second = await at.start();
        try {
          await untilResynced(edge);
          for (const { access_token, refresh_token } of [honest, newest]) {
            assert.equal(await untilRefused(edge, access_token), 'issuer_cut_off');
            assert.equal((await refresh(second, refresh_token)).body.error, 'invalid_grant');
            assert.equal((await introspect(second, access_token)).active, false);
          }
          const page = await browser.go(`${second.issuer}/account`);
          assert.match(page.html, /password/i, 'the cookie no longer skips the sign-in page');
          const again = await signInTokens(second);
          assert.ok((await verify(edge, again.access_token)).ok);
          await rotated(second, again.refresh_token);
        } finally {
          await second.close();
        }
      } finally {
        await edge.close();
      }
    });

    on('an older state put back by hand is noticed, and the message names the command', async (at) => {
      const first = await at.start();
      await at.backUp();
      const browser = at.browser();
      await signInTokens(first, { browser });
      await signOutEverywhere(first, browser);
      await first.close();
      await at.putBack();
      await assert.rejects(at.start(), /went back in time.*tessera restore --policy/s);
      const command = await at.shell.run('session list');
      assert.equal(command.code, 1);
      assert.match(command.err, /went back in time/);
      // The state that stands there by hand is a state to restore too.
      const said = await at.shell.run('restore --policy resume --yes');
      assert.equal(said.code, 0, said.err);
      const second = await at.start();
      await second.close();
    });

    on('it is noticed after a kill -9 that cut a line short, and without any ending since', async (at) => {
      const first = await at.start();
      await at.backUp();
      await signInTokens(first);
      await first.close();
      appendFileSync(join(at.data, 'endings.journal'), '\n{"kind":"session","id":"cut sho');
      await at.putBack();
      await assert.rejects(at.start(), /went back in time/);
    });

    on(
      'A9: a node that was away during the restore applies the endings of its own journal when it starts',
      async (at) => {
        const first = await at.start();
        const leaving = await signInTokens(first, { username: 'bob' });
        await at.backUp();
        const browser = at.browser();
        await signInTokens(first, { browser, username: 'bob' });
        await signOutEverywhere(first, browser);
        await first.close();
        const journal = join(at.data, 'endings.journal');
        const away = readFileSync(journal);
        // What the restore is given knows the epoch, and nothing that ended.
        const marks = away
          .toString()
          .split('\n')
          .filter((line) => line.startsWith('{"epoch"'));
        rmSync(journal);
        appendFileSync(journal, `${marks.join('\n')}\n`, { mode: 0o600 });
        const said = await at.restore('resume');
        assert.match(said.out, /ended again 0 sessions/);
        rmSync(journal);
        appendFileSync(journal, away, { mode: 0o600 });
        const second = await at.start();
        try {
          assert.equal((await refresh(second, leaving.refresh_token)).body.error, 'invalid_grant');
          assert.equal((await introspect(second, leaving.access_token)).active, false);
        } finally {
          await second.close();
        }
      },
    );

    on(
      'what was disabled, cut off and revoked since is so again; passwords, secrets and removals are named',
      async (at) => {
        const first = await at.start();
        const victim = await signInTokens(first, { username: 'bob' });
        const web = await signInTokens(first, { clientId: 'web' });
        const { keys } = (await jwks(first)) as { keys: { kid: string }[] };
        await at.shell.run('user add carol --no-password');
        await at.shell.run('client add Gone --auth none --redirect-uri https://gone.example.com/cb');
        const gone = (await at.shell.run('client list --json')).json<{
          items: { client_id: string; client_name: string }[];
        }>();
        const goneId = gone.items.find(({ client_name: name }) => name === 'Gone')?.client_id ?? '';
        await sleep(1100);
        await at.backUp();
        await sleep(1100);
        for (const line of [
          'user disable bob',
          'client cut-off web --yes',
          `client remove ${goneId} --yes`,
          'user remove carol --yes',
          `keys revoke ${keys[0]?.kid} --yes`,
        ]) {
          const ran = await at.shell.run(line);
          assert.equal(ran.code, 0, `${line}: ${ran.err}`);
        }
        assert.equal((await at.shell.run('user set-password ada', { input: 'another good password' })).code, 0);
        await first.close();
        const said = await at.restore('resume');
        assert.equal(said.code, 0, said.err);
        assert.match(said.out, /user \S+: was changed: password/);
        assert.match(said.out, /user \S+: was removed; it is disabled now/);
        assert.match(said.out, new RegExp(`client ${goneId}: was removed`));
        const second = await at.start();
        try {
          assert.equal((await second.store.findUser('bob'))?.disabled, true);
          assert.equal((await second.store.findUser('carol'))?.disabled, true);
          assert.equal((await second.store.get('client', goneId))?.disabled, true);
          assert.equal((await refresh(second, victim.refresh_token)).body.error, 'invalid_grant');
          const form = { grant_type: 'refresh_token', refresh_token: web.refresh_token };
          assert.equal((await second.post('/token', form, basic('web'))).body.error, 'invalid_grant');
          const present = (await jwks(second)) as { keys: { kid: string }[] };
          assert.ok(!present.keys.some(({ kid }) => kid === keys[0]?.kid), 'a revoked key is not published again');
        } finally {
          await second.close();
        }
      },
    );

    on('A9: edges remember an ending of the lost time for as long as a token of that time may live', async (at) => {
      const first = await at.start();
      const browser = at.browser();
      await signInTokens(first, { browser, username: 'bob' });
      await at.backUp();
      // As when somebody lets an app's tokens live longer.
      await keepLifetime(first, 7200);
      await signOutEverywhere(first, browser);
      const [ended] = await eventsOf(first, 'session.ended');
      assert.ok((ended?.until ?? 0) >= first.now() + 7000);
      await first.close();
      assert.equal((await at.restore('resume')).code, 0);
      const second = await at.start();
      try {
        const [again] = await eventsOf(second, 'session.ended');
        assert.equal(again?.sid, ended?.sid);
        assert.ok((again?.until ?? 0) >= (ended?.until ?? 0), `until ${again?.until}, and before ${ended?.until}`);
      } finally {
        await second.close();
      }
    });

    on('a code redeemed in the lost time cannot be redeemed again', async (at) => {
      const second = await at.start();
      const browser = at.browser();
      await signInTokens(second, { browser });
      await at.backUp();
      const obtained = await obtainCode(second, { browser });
      assert.equal((await redeemCode(second, obtained)).status, 200);
      await second.close();
      assert.equal((await at.restore('resume')).code, 0);
      const third = await at.start();
      try {
        assert.equal((await redeemCode(third, obtained)).body.error, 'invalid_grant');
        const fresh = await obtainCode(third, { browser });
        // Codes of the very second of the restore count as before it.
        third.advance(2);
        const later = await obtainCode(third, { browser });
        assert.equal((await redeemCode(third, later)).status, 200);
        assert.ok(fresh.code);
      } finally {
        await third.close();
      }
    });

    if (engine === 'Postgres')
      on('a failover that lost commits: the running node is not ready, says so, and serves nobody', async (at) => {
        const first = await at.start();
        const tokens = await signInTokens(first, { username: 'bob' });
        await at.backUp();
        const browser = at.browser();
        await signInTokens(first, { browser, username: 'bob' });
        await signOutEverywhere(first, browser);
        await at.putBack();
        const ready = () => first.server.fetch(new Request(`${first.issuer}/ready`));
        for (let tries = 0; tries < 200 && !(await (await ready()).text()).includes('back in time'); tries += 1)
          await sleep(50);
        const answer = await ready();
        assert.equal(answer.status, 503);
        assert.match(await answer.text(), /went back in time/);
        assert.equal((await refresh(first, tokens.refresh_token)).status, 503);
        const asked = await first.post('/introspect', { token: tokens.access_token }, basic('orders-api'));
        assert.equal(asked.status, 503);
        const poll = await first.server.fetch(
          new Request(`${first.issuer}/events/poll`, {
            method: 'POST',
            headers: { ...basic('orders-api'), 'content-type': 'application/json' },
            body: '{"returnImmediately":true}',
          }),
        );
        assert.equal(poll.status, 503, 'edges are told nothing by a node that may know less than they do');
      });

    on('a restore is refused while a server uses the store', async (at) => {
      const first = await at.start();
      try {
        await at.backUp();
        const said =
          engine === 'Postgres' ? await at.shell.run('restore --policy resume --yes') : await at.restore('resume');
        assert.equal(said.code, 1);
        assert.match(said.err, /servers are connected|another process has .* open/);
        await rotated(first, (await signInTokens(first)).refresh_token);
      } finally {
        await first.close();
      }
    });

    on('the journal is for its owner alone and holds no secret; nothing is written to it by a refresh', async (at) => {
      const first = await at.start();
      try {
        const journal = join(at.data, 'endings.journal');
        assert.equal(statSync(journal).mode & 0o777, 0o600);
        const entries = () =>
          readFileSync(journal, 'utf8')
            .split('\n')
            .filter((line) => line.includes('kind'));
        let tokens: { access_token: string; refresh_token: string } = await signInTokens(first);
        for (let use = 0; use < 5; use += 1) tokens = await rotated(first, tokens.refresh_token);
        await sleep(600);
        assert.deepEqual(entries(), []);
        const browser = at.browser();
        const leaving = await signInTokens(first, { browser });
        await signOutEverywhere(first, browser);
        const text = readFileSync(journal, 'utf8');
        assert.ok(text.includes(String(claimsOf(leaving.access_token).sid)), 'in the journal when it is answered');
        const { passwordHash = '', username } = (await first.store.findUser('ada'))!;
        for (const told of [leaving.refresh_token, leaving.access_token, passwordHash, username, secret])
          assert.ok(!text.includes(told));
      } finally {
        await first.close();
      }
    });
  });
}

describe('tessera backup', () => {
  it('copies while the server writes, overwrites nothing, keeps others out and leaves the root keys', async () => {
    const at = await restorableFile();
    const test = await at.start();
    try {
      let isDone = false;
      let tokens: { access_token: string; refresh_token: string } = await signInTokens(test);
      const load = (async () => {
        let uses = 0;
        for (; !isDone; uses += 1) tokens = await rotated(test, tokens.refresh_token);
        return uses;
      })();
      const file = join(at.shell.folder, 'copy.db');
      const said = await at.shell.run(`backup ${file} --json`);
      isDone = true;
      assert.ok((await load) > 0);
      assert.equal(said.code, 0, said.err);
      assert.equal(said.json<{ file: string }>().file, file);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.ok(!existsSync(`${file}.partial`) && !existsSync(`${file}-wal`));
      const again = await at.shell.run(`backup ${file}`);
      assert.equal(again.code, 1);
      assert.match(again.err, /is there already/);
      const keys = JSON.parse(readFileSync(join(at.data, 'root-keys.json'), 'utf8')) as unknown;
      const bytes = readFileSync(file);
      for (const key of secretsIn(keys)) assert.ok(!bytes.includes(key), 'a root key is in the backup');
    } finally {
      await test.close();
      await at.remove();
    }
  });

  it('a damaged file is refused, and the store in place stays', async () => {
    const at = await restorableFile();
    try {
      await (await at.start()).close();
      await at.backUp();
      const backup = join(at.shell.folder, 'backup.db');
      const bytes = readFileSync(backup);
      bytes.fill(0x5a, 4096 * 2 + 100, 4096 * 6);
      rmSync(backup);
      appendFileSync(backup, bytes);
      const said = await at.restore('resume');
      assert.equal(said.code, 1);
      assert.match(said.err, /damaged|malformed/);
      assert.deepEqual(
        readdirSync(at.data).filter((name) => /restor|partial|-wal/.test(name)),
        [],
      );
      await (await at.start()).close();
    } finally {
      await at.remove();
    }
  });
});

function secretsIn(value: unknown): Buffer[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) =>
    name === 'secret' ? [Buffer.from(one, 'base64url'), Buffer.from(one)] : secretsIn(one),
  );
}

async function startEdge(test: TestServer): Promise<Edge> {
  const edge = ordersEdge(test.issuer);
  await edge.start();
  return edge;
}

function verify(edge: Edge, token: string) {
  return edge.verifyAccessToken({ method: 'GET', url: ordersApi, authorization: [`Bearer ${token}`], dpop: [] }, {});
}

async function untilRefused(edge: Edge, token: string): Promise<string> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const verdict = await verify(edge, token);
    if (!verdict.ok) return verdict.reason;
    await sleep(10);
  }
  return 'never';
}

/** Waits until an edge has heard of the epoch that began. */
async function untilResynced(edge: Edge): Promise<void> {
  for (let tries = 0; tries < 1500; tries += 1) {
    const { feed } = edge.status();
    if ((feed?.resyncs ?? 0) >= 2 && feed?.isReplaying === false) return;
    await sleep(10);
  }
  assert.fail('the edge did not begin anew');
}

async function rotated(test: TestServer, token: string): Promise<{ access_token: string; refresh_token: string }> {
  const { status, body } = await refresh(test, token);
  assert.equal(status, 200, JSON.stringify(body));
  return body as never;
}

async function signOutEverywhere(test: TestServer, browser: ReturnType<Restorable['browser']>): Promise<void> {
  const account = await browser.go(`${test.issuer}/account`);
  const everywhere = account.forms.findIndex((form) => form.html.includes('sign-out-everywhere'));
  await browser.submit(account, { decision: 'sign-out-everywhere' }, everywhere);
}

async function jwks(test: TestServer): Promise<unknown> {
  return (await test.server.fetch(new Request(`${test.issuer}/jwks`))).json();
}
