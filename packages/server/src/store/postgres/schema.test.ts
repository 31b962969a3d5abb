import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { openPostgresStore } from './open.ts';
import { applyOnce, schemaVersion, versionOf } from './schema.ts';
import { findPostgres, howToInstall, startTestPostgres } from './test-postgres.ts';

const bin = findPostgres();

/** Needs the table as the steps do that add a trigger. */
const step = {
  version: schemaVersion + 1,
  oldestCode: 1,
  sql: 'CREATE TRIGGER shade BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
};

describe('a step of the schema beside a transaction that holds its table', {
  skip: bin === undefined ? howToInstall : false,
}, () => {
  it('D10: lets requests pass while it waits, and is done when the table is free', async (t) => {
    const { node, request, stranger } = await connections(t);
    const applied = applyOnce(node, step);
    for (let asked = 0; asked < 20; asked += 1) {
      await request.query("UPDATE sessions SET acr = 'shade'");
      await delay(50);
    }
    assert.equal(await versionOf(request), schemaVersion, 'requests were answered although the table is still held');
    await stranger.query('COMMIT');
    await applied;
    assert.equal(await versionOf(request), schemaVersion + 1);
  });

  it('gives up after a time, having changed nothing, and says who holds it', async (t) => {
    const { node, stranger } = await connections(t);
    await delay(1000);
    const { rows } = await stranger.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await assert.rejects(applyOnce(node, step, 200), {
      code: 'store_unavailable',
      message: new RegExp(`nothing was changed; let them end, .* pid ${rows[0]?.pid} \\(a stranger\\) for \\d+ s$`),
    });
    assert.equal(await versionOf(node), schemaVersion);
  });
});

/** A server with a store, and a stranger's transaction on it that has written to a table. */
async function connections(t: TestContext) {
  const server = await startTestPostgres(bin as string);
  const clients: pg.Client[] = [];
  t.after(async () => {
    for (const client of clients) await client.end();
    await server.remove();
  });
  const connect = async (name: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: server.connectionString, application_name: name });
    clients.push(client);
    await client.connect();
    // That of requests.
    await client.query('SET lock_timeout = 2000');
    return client;
  };
  await (await openPostgresStore({ connectionString: server.connectionString })).close();
  const stranger = await connect('a stranger');
  await stranger.query("BEGIN; UPDATE sessions SET acr = 'dark'");
  return { node: await connect('tessera'), request: await connect('tessera'), stranger };
}
