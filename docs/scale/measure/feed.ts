import { mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { basicAuthorization, declared } from '../../../bench/declared.ts';
import { HttpConnection } from '../../../bench/load/http-connection.ts';
import { cpuSecondsOf, residentBytesOf } from '../../../bench/measure/cpu-time.ts';
import { pinGenerator, startSubject } from '../../../bench/subjects/start-subject.ts';
import { storeFile } from '../../../packages/server/src/store/open-store.ts';
import { nextId } from '../../../packages/server/src/store/sample-records.ts';
import { openSqliteStore } from '../../../packages/server/src/store/sqlite/open.ts';
import type { NewEvent, Store } from '../../../packages/server/src/store/store.ts';
import { freePort } from '../../../tests/free-port.ts';

/**
 * Measures what the revocation feed costs a node: a poll that ends without news, the telling of one ending to one edge, a line of a replay, and the memory of a poll that waits. Processor time
 * of the server's process; the receivers are bare connections. Endings are put into the store beside the server.
 * Usage: node scripts/run.mjs docs/scale/measure/feed.ts [RECEIVERS].
 */
const receivers = Number(process.argv[2] ?? 200);
const replayed = 12_000;

type Told = { polls: number; sets: number; bytes: number };
type Feed = { port: number; pid: number; store: Store };

const folder = mkdtempSync('/var/tmp/tessera-scale-');
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
pinGenerator();
const port = await freePort();
const subject = await startSubject('tessera.ts', { port, folder, sessions: 1 });
const store = await openSqliteStore({ file: storeFile(folder) });
const feed: Feed = { port, pid: subject.pid, store };
try {
  await measureRest(feed);
  await measureIdle(feed);
  for (const perSecond of [2, 5, 10]) await measureTelling(feed, perSecond);
  await measureMemory(feed);
  await measureReplay(feed);
} finally {
  await store.close();
  await subject.stop();
}
process.exit(0);

async function measureRest({ pid }: Feed): Promise<void> {
  const used = await cpuOf(pid, () => sleep(4000));
  console.log(`at rest: ${((used / 4) * 1e3).toFixed(2)} ms of processor time a second`);
}

async function measureIdle(feed: Feed): Promise<void> {
  const told = await polling(feed, receivers, 1, 6000, async () => undefined);
  console.log(
    `a poll without news: ${micros(told.used / told.polls)} µs, ${(told.bytes / told.polls).toFixed(0)} bytes`,
  );
}

async function measureTelling(feed: Feed, perSecond: number): Promise<void> {
  const told = await polling(feed, receivers, 5, 6000, async (isOver) => {
    while (!isOver()) {
      await feed.store.commit([], [ending()]);
      await sleep(1000 / perSecond);
    }
  });
  console.log(
    `${perSecond} endings a second: ${micros(told.used / told.sets)} µs for each telling of one to one edge, ` +
      `${(told.sets / told.polls).toFixed(2)} a poll, ${(told.bytes / told.sets).toFixed(0)} bytes each with all headers`,
  );
}

async function measureMemory(feed: Feed): Promise<void> {
  const count = 1500;
  const before = residentBytesOf(feed.pid)!;
  let after = 0;
  await polling(feed, count, 10, 8000, async () => {
    await sleep(7000);
    after = residentBytesOf(feed.pid)!;
  });
  console.log(`a poll that waits: ${((after - before) / count / 1024).toFixed(1)} KiB of resident memory, of ${count}`);
}

async function measureReplay(feed: Feed): Promise<void> {
  for (let made = 0; made < replayed; made += 500) await feed.store.commit([], Array.from({ length: 500 }, ending));
  await sleep(1500);
  for (const which of ['first', 'second']) {
    const connection = new HttpConnection('127.0.0.1', feed.port);
    let sets = 0;
    let bytes = 0;
    const used = await cpuOf(feed.pid, async () => {
      for (let ack: string[] | undefined, more = true; more; ) {
        const answer = await connection.request(pollText({ ack, maxEvents: 1000, returnImmediately: true }, 0));
        const body = JSON.parse(answer.body) as { sets: Record<string, string>; mark: string; moreAvailable?: boolean };
        ack = [...Object.keys(body.sets), jtiOf(body.mark)];
        sets += Object.keys(body.sets).length;
        bytes += answer.body.length;
        more = body.moreAvailable === true;
      }
    });
    connection.close();
    console.log(
      `a replay, the ${which} edge's: ${sets} lines, ${micros(used / sets)} µs and ${(bytes / sets).toFixed(0)} bytes each`,
    );
  }
}

/** Keeps so many receivers polling meanwhile; `used`: the server's processor seconds from when all of them wait. */
async function polling(
  { port, pid }: Feed,
  count: number,
  waitSeconds: number,
  milliseconds: number,
  work: (isOver: () => boolean) => Promise<unknown>,
): Promise<Told & { used: number }> {
  const told: Told = { polls: 0, sets: 0, bytes: 0 };
  const connections = Array.from({ length: count }, () => new HttpConnection('127.0.0.1', port));
  // One asks where the feed ends, all begin there: newcomers of their own would each be told everything first.
  const begin = jtiOf(
    (await poll(connections[0]!, { maxEvents: 500, returnImmediately: true }, 0, { polls: 0, sets: 0, bytes: 0 })).mark,
  );
  let isOver = false;
  const loops = connections.map(async (connection, index) => {
    await sleep((index * waitSeconds * 1000) / count);
    let ack = [begin];
    while (!isOver) {
      const body = await poll(connection, { ack, maxEvents: 1000 }, waitSeconds, told);
      ack = [...Object.keys(body.sets), jtiOf(body.mark)];
    }
    connection.close();
  });
  await sleep(waitSeconds * 1000 + 1500);
  told.polls = told.sets = told.bytes = 0;
  const used = await cpuOf(pid, async () => {
    const working = work(() => isOver);
    await sleep(milliseconds);
    isOver = true;
    await working;
  });
  const result = { ...told, used };
  await Promise.all(loops);
  return result;
}

async function poll(connection: HttpConnection, request: object, waitSeconds: number, told: Told) {
  const text = pollText(request, waitSeconds);
  const answer = await connection.request(text);
  if (answer.status !== 200) throw new Error(`expected the feed to answer 200, got ${answer.status}: ${answer.body}`);
  const body = JSON.parse(answer.body) as { sets: Record<string, string>; mark: string };
  told.polls += 1;
  told.sets += Object.keys(body.sets).length;
  told.bytes += text.length + answer.head.length + answer.body.length;
  return body;
}

function pollText(request: object, waitSeconds: number): string {
  const body = JSON.stringify(request);
  return (
    `POST /events/poll HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\n` +
    `Authorization: ${basicAuthorization(declared.api)}\r\nPrefer: wait=${waitSeconds}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  );
}

function ending(): NewEvent {
  const at = Math.floor(Date.now() / 1000);
  return {
    type: 'session.ended',
    at,
    actor: { kind: 'server' },
    userId: nextId(),
    sid: nextId(),
    data: { reason: 'user_signed_out', grants: [nextId()], grantCount: 1 },
    audiences: [declared.orders.audience],
    until: at + 960,
  };
}

function jtiOf(token: string): string {
  return (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti;
}

async function cpuOf(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = cpuSecondsOf([pid])!;
  await work();
  return cpuSecondsOf([pid])! - before;
}

function micros(seconds: number): string {
  return (seconds * 1e6).toFixed(0);
}
