import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { pino } from 'pino';
import { parseConfig } from './config/schema.ts';
import { rememberIssuer } from './issuer-of-store.ts';
import { openSqliteStore } from './store/sqlite/open.ts';
import type { Store } from './store/store.ts';

let store: Store;
before(async () => {
  store = await openSqliteStore({ file: ':memory:' });
});
after(() => store.close());

/** What the server of that issuer warns of when it starts. */
async function start(issuer: string): Promise<{ former: string; issuer: string }[]> {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  await rememberIssuer({ config: parseConfig({ issuer }), store, log });
  return lines.map((line) => JSON.parse(line) as { former: string; issuer: string });
}

it('a server that starts under another issuer than the one before says so, and one under the same says nothing', async () => {
  const [first, second] = ['https://id.example.com', 'https://id.example.com/tenant'];
  assert.deepEqual(await start(first), []);
  assert.deepEqual(await start(first), []);
  const [warned] = await start(second);
  assert.deepEqual([warned?.former, warned?.issuer], [first, second]);
  // The other one is still there, and starts again.
  assert.equal((await start(first)).length, 1);
  assert.deepEqual(await start(first), []);
});

it('of many that start together under a new issuer one says so', async () => {
  const warned = await Promise.all(Array.from({ length: 5 }, () => start('https://new.example.com')));
  assert.equal(warned.flat().length, 1);
});
