import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sampleEnding, sampleGrant, sampleSession, sampleTime } from '../sample-records.ts';
import { openSqliteStore } from '../sqlite/open.ts';
import type { Change, NewEvent, Store } from '../store.ts';
import { storeContract } from '../store-contract.ts';
import { entriesOfEvents } from './entries-of-events.ts';
import type { JournalEntry } from './journal-entry.ts';
import { type JournaledStore, openJournaledStore, StoreWentBack } from './journaled-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'tessera-journaled-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;
const newPlace = () => join(folder, `${++places}`);

async function openAt(place: string, warn: (message: string) => void = () => undefined): Promise<JournaledStore> {
  const store = await openSqliteStore({ file: `${place}.db` });
  return openJournaledStore({ store, file: `${place}.journal`, warn }).catch(async (error) => {
    await store.close();
    throw error;
  });
}

storeContract('SQLite with a journal', async () => {
  const place = newPlace();
  const stores: Store[] = [];
  const another = async () => {
    const store = await openAt(place);
    stores.push(store);
    return store;
  };
  return {
    store: await another(),
    another,
    async close() {
      for (const store of stores) await store.close();
    },
  };
});

async function opened(t: TestContext, place = newPlace()): Promise<{ store: JournaledStore; journal: string }> {
  const store = await openAt(place);
  t.after(() => store.close());
  return { store, journal: `${place}.journal` };
}

/** The same, with how often the log below was read. */
async function openedCounting(t: TestContext) {
  const place = newPlace();
  const bare = await openSqliteStore({ file: `${place}.db` });
  let readings = 0;
  const counted = withMethod(bare, 'readEvents', (filter) => {
    readings += 1;
    return bare.readEvents(filter);
  });
  const store = await openJournaledStore({ store: counted, file: `${place}.journal`, warn: () => undefined });
  t.after(() => store.close());
  return { place, bare, store, readings: () => readings };
}

const happened = (type: NewEvent['type']): NewEvent => ({ type, at: sampleTime, actor: { kind: 'server' } });

async function signIn(store: Store): Promise<{ sid: string; grantId: string }> {
  const session = sampleSession();
  const grant = sampleGrant(session);
  await store.commit([
    { change: 'create-session', session },
    { change: 'create-grant', grant },
  ]);
  return { sid: session.sid, grantId: grant.grantId };
}

const end = (sid: string, more: Parameters<typeof sampleEnding>[0] = {}): Change => ({
  change: 'end-sessions',
  where: { sid },
  offline: true,
  ending: sampleEnding(more),
});

/** The store with another method in place of its own. */
function withMethod<K extends keyof Store>(store: Store, method: K, other: Store[K]): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === method) return other;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function entriesIn(journal: string): JournalEntry[] {
  return readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"kind"'))
    .map((line) => JSON.parse(line) as JournalEntry);
}

describe('a store with a journal of endings', () => {
  it('A9: holds an ending in the journal when it is answered, and until when it matters', async (t) => {
    const { store, journal } = await opened(t);
    const { sid } = await signIn(store);
    await store.commit([end(sid)]);
    const [entry] = entriesIn(journal);
    const session = await store.getSession(sid);
    assert.equal(entry?.id, sid);
    assert.equal(entry?.until, Math.max(session?.endsAt ?? 0, sampleEnding().until));
    assert.equal(entry?.position, (await store.position()).position);
  });

  it('of events that do not tell how long it would have lasted, the journal looks it up', async (t) => {
    const { store } = await opened(t);
    const { sid, grantId } = await signIn(store);
    const [session, grant] = [await store.getSession(sid), await store.getGrant(grantId)];
    const told = {
      position: 1,
      at: sampleTime,
      actor: { kind: 'server' } as const,
      sid,
      grantId,
      data: { reason: 'token_revoked' },
    };
    const entries = await entriesOfEvents(store, [
      { ...told, type: 'session.ended' },
      { ...told, type: 'grant.ended' },
      { ...told, type: 'grant.ended', data: { endsAt: sampleTime + 5 } },
    ]);
    assert.deepEqual(
      entries.map(({ until }) => until),
      [session!.endsAt, grant!.endsAt, sampleTime + 5],
    );
  });

  it('what lapses by itself, and what ends nothing, is not written', async (t) => {
    const { store, journal } = await opened(t);
    const { size } = statSync(journal);
    const { sid, grantId } = await signIn(store);
    const origin = { ip: '192.0.2.1', userAgent: 'Firefox' };
    await store.commit([
      { change: 'rotate-grant', grantId, expect: 1, sealKeyId: 'k1', at: sampleTime, idleAt: null, origin },
    ]);
    assert.equal(statSync(journal).size, size);
    await store.commit([end(sid, { reason: 'idle' })]);
    await store.catchUp();
    assert.deepEqual(entriesIn(journal), []);
  });

  it('what one process ends, another that shares the file writes no second time', async (t) => {
    const place = newPlace();
    const { store, journal } = await opened(t, place);
    const { store: other } = await opened(t, place);
    other.onEvents(() => undefined);
    const { sid } = await signIn(store);
    await store.commit([end(sid)]);
    await delay(600);
    assert.equal(entriesIn(journal).length, 1);
    const next = await signIn(other);
    await other.commit([end(next.sid)]);
    assert.deepEqual(
      entriesIn(journal).map(({ id }) => id),
      [sid, next.sid],
    );
  });

  it('what a killed process committed and did not write, the next one writes when it opens', async (t) => {
    const place = newPlace();
    await (await openAt(place)).close();
    const bare = await openSqliteStore({ file: `${place}.db` });
    const { sid } = await signIn(bare);
    await bare.commit([end(sid)]);
    await bare.close();
    const { journal } = await opened(t, place);
    assert.deepEqual(
      entriesIn(journal).map(({ id }) => id),
      [sid],
    );
  });

  it('a journal that cannot be written refuses the answer, not the ending; later it is made up for', async (t) => {
    const { store, journal } = await opened(t);
    const { sid } = await signIn(store);
    rmSync(journal);
    mkdirSync(journal);
    await assert.rejects(store.commit([end(sid)]), { code: 'store_unavailable' });
    rmdirSync(journal);
    assert.notEqual((await store.getSession(sid))?.endedAt, null);
    const next = await signIn(store);
    await store.commit([end(next.sid)]);
    assert.deepEqual(
      entriesIn(journal).map(({ id }) => id),
      [sid, next.sid],
    );
  });

  it('is written from what commits told of their events, and read from the log where others ended something between', async (t) => {
    const { place, bare, store, readings } = await openedCounting(t);
    const other = await openSqliteStore({ file: `${place}.db` });
    t.after(() => other.close());
    const [a, b, c, d] = [await signIn(store), await signIn(store), await signIn(store), await signIn(store)];
    await Promise.all([a, b].map(({ sid }) => store.commit([end(sid)])));
    assert.equal(readings(), 0);
    await other.commit([end(c.sid)]);
    await store.commit([end(d.sid)]);
    assert.equal(readings(), 1);
    const entries = entriesIn(`${place}.journal`);
    assert.deepEqual(entries.map(({ id }) => id).sort(), [a, b, c, d].map(({ sid }) => sid).sort());
    assert.deepEqual(
      entries.map(({ position }) => position),
      [1, 2, 3, 4],
    );
    // What was written from what was told is what reading the log would have made of it.
    assert.deepEqual(entries, await entriesOfEvents(bare, await bare.readEvents({ limit: 9 })));
  });

  it('what its own process committed is not read again, whether it ended something or not', async (t) => {
    const { place, bare, store, readings } = await openedCounting(t);
    const { sid } = await signIn(store);
    await store.commit([], [happened('user.created'), happened('client.created')]);
    await store.commit([end(sid)]);
    await store.commit([], [happened('user.created')]);
    const told = await store.readEvents({ afterPosition: 0, beforePosition: 5, limit: 9 });
    assert.equal(readings(), 0);
    assert.deepEqual(told, await bare.readEvents({ limit: 9 }));
    assert.deepEqual(
      entriesIn(`${place}.journal`).map(({ position, id }) => [position, id]),
      [[3, sid]],
    );
  });

  it('of many events that end nothing it keeps a bounded part, and reads the rest when something ends', async (t) => {
    const { place, store, readings } = await openedCounting(t);
    const { sid } = await signIn(store);
    for (let commits = 0; commits < 6; commits += 1)
      await store.commit(
        [],
        Array.from({ length: 1000 }, () => happened('user.created')),
      );
    await store.commit([end(sid)]);
    assert.ok(readings() > 0);
    assert.deepEqual(
      entriesIn(`${place}.journal`).map(({ position, id }) => [position, id]),
      [[6001, sid]],
    );
  });

  it('endings that wait together share a flush', async (t) => {
    const { store, journal } = await opened(t);
    const all = await Promise.all(Array.from({ length: 60 }, () => signIn(store)));
    await Promise.all(all.map(({ sid }) => store.commit([end(sid)])));
    assert.equal(entriesIn(journal).length, 60);
    const writes = readFileSync(journal, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{"epoch"')).length;
    assert.ok(writes < 30, `${writes} writes for 60 endings`);
  });
});

describe('a store that goes back in time', () => {
  it('is refused when it is opened: the journal knows a later position', async () => {
    const place = newPlace();
    const store = await openAt(place);
    const { sid } = await signIn(store);
    await store.commit([end(sid)]);
    await store.close();
    const db = new DatabaseSync(`${place}.db`);
    db.exec('DELETE FROM events; UPDATE store_state SET position = 0');
    db.close();
    await assert.rejects(openAt(place), { code: 'store_not_usable', message: /went back in time.*tessera restore/s });
  });

  it('is refused when it is another store', async () => {
    const place = newPlace();
    await (await openAt(place)).close();
    rmSync(`${place}.db`);
    await assert.rejects(openAt(place), { code: 'store_not_usable', message: /belongs to another store/ });
  });

  it('while it is used: every call fails from then on, and the operator is told once', async (t) => {
    const place = newPlace();
    const told: string[] = [];
    const bare = await openSqliteStore({ file: `${place}.db` });
    let back = 0;
    const falling = new Proxy(bare, {
      get(target, name) {
        if (name === 'position')
          return async () => {
            const { epoch, position } = await target.position();
            return { epoch, position: position - back };
          };
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const store = await openJournaledStore({
      store: falling,
      file: `${place}.journal`,
      warn: (message) => told.push(message),
    });
    t.after(() => store.close());
    const { sid } = await signIn(store);
    await store.commit([end(sid)]);
    await store.position();
    back = 1;
    await assert.rejects(store.position(), StoreWentBack);
    back = 0;
    await assert.rejects(async () => store.getSession(sid), StoreWentBack);
    await assert.rejects(store.commit([end(sid)]), StoreWentBack);
    await assert.rejects(store.position(), StoreWentBack);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /went back in time/);
  });

  it('is noticed by where a commit stands in the log, too', async (t) => {
    const place = newPlace();
    const bare = await openSqliteStore({ file: `${place}.db` });
    let back = 0;
    const falling = withMethod(bare, 'commit', async (changes, events) => {
      const result = await bare.commit(changes, events);
      if (result.outcome === 'conflict' || result.appended === undefined) return result;
      const { epoch, events: told } = result.appended;
      return {
        ...result,
        appended: { epoch, events: told.map((event) => ({ ...event, position: event.position - back })) },
      };
    });
    const store = await openJournaledStore({ store: falling, file: `${place}.journal`, warn: () => undefined });
    t.after(() => store.close());
    const [a, b] = [await signIn(store), await signIn(store)];
    await store.commit([end(a.sid)]);
    back = 1;
    await assert.rejects(store.commit([end(b.sid)]), StoreWentBack);
    await assert.rejects(async () => store.getSession(a.sid), StoreWentBack);
  });

  it('answers that overtake each other are not taken for it', async (t) => {
    const place = newPlace();
    const bare = await openSqliteStore({ file: `${place}.db` });
    let isSlow = false;
    const overtaking = new Proxy(bare, {
      get(target, name) {
        if (name === 'position')
          return async () => {
            const position = await target.position();
            if (isSlow) {
              isSlow = false;
              await delay(100);
            }
            return position;
          };
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const store = await openJournaledStore({ store: overtaking, file: `${place}.journal`, warn: () => undefined });
    t.after(() => store.close());
    isSlow = true;
    const slow = store.position();
    await store.commit([], [{ type: 'session.started', at: sampleTime, actor: { kind: 'cli' } }]);
    const fast = await store.position();
    assert.ok((await slow).position < fast.position);
    await store.position();
  });
});
