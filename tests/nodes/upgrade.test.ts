import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before as beforeAll, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Edge } from '@tessera/edge';
import pg from 'pg';
import { openPool } from '../../packages/server/src/store/postgres/connection.ts';
import { partitionEvents } from '../../packages/server/src/store/postgres/event-partitions.ts';
import { appsConfig, present, signInApps } from '../apps.ts';
import { runCommand, type ServerProcessOptions, startServerProcess } from '../crash/server-process.ts';
import { eventually } from '../eventually.ts';
import { pick, seeded, seedOf } from '../seeded.ts';
import { kidOf } from './administer.ts';
import { checkStore, type History } from './history.ts';
import { Load, rounds } from './load.ts';
import { Nodes, ServerNode, skipWithoutPostgres } from './nodes.ts';
import { type OldVersion, unpackOldVersion, whyNoOldVersion } from './old-version.ts';
import { startTestEdge, verdictOf } from './test-edge.ts';

const skipWithoutOldVersion = whyNoOldVersion();
if (skipWithoutOldVersion) console.error(skipWithoutOldVersion);
const skip = skipWithoutPostgres || skipWithoutOldVersion;
/** Longer than any answer takes on a busy machine: a request that is given up would count as failed. */
const patienceMs = 60_000;
/** No request may wait longer while the schema changes; far less does where the machine has nothing else to do, and who waits for a lock is refused before. */
const longestStallMs = 20_000;
const rotateNow = ['keys', 'rotate', '--now'];

let old: OldVersion;
beforeAll(async () => {
  if (!skipWithoutOldVersion) old = await unpackOldVersion();
});
after(() => old?.remove());

it('D10 an upgrade under load and back again, with keys rotated in between: no request fails, no edge refuses a good token', {
  skip,
  timeout: 240_000 + 60_000 * rounds,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const nodes = await Nodes.start(2, { program: old.program });
  const load = new Load(balanced(nodes), random, { patienceMs });
  const watch = new EdgeWatch(nodes, random);
  try {
    await load.begin(3 * rounds);
    await watch.begin();
    await signInBriefly(nodes, random);
    await load.endOne();

    await migrateBesideAStranger(nodes, async () => {
      await load.begin(rounds);
      await load.endOne();
    });
    await load.begin(rounds);
    await load.endOne();

    // Both versions side by side; what was begun at one goes on at the other.
    await Promise.all([nodes.add(), nodes.add()]);
    await load.begin(rounds);
    await partition(nodes);
    await signInBriefly(nodes, random);
    await nodes.command(...rotateNow);
    await load.endOne();
    await sleep(2000);
    await load.endOne();

    // What its exit code is does not matter here: the old version had a fault there.
    for (const number of [0, 1]) await nodes.at(number).stop();
    await nodes.command(...rotateNow);
    await load.begin(rounds);
    await load.endOne();
    await sleep(1000);

    // Back: nothing was contracted.
    await Promise.all([nodes.at(0).start(), nodes.at(1).start()]);
    await load.begin(rounds);
    await load.endOne();
    for (const number of [2, 3]) assert.equal(await nodes.at(number).stop(), 0);
    await signInBriefly(nodes, random);
    await load.endOne();
    await sleep(1000);

    // And up again, at last.
    await Promise.all([nodes.at(2).start(), nodes.at(3).start()]);
    await watch.stop();
    await load.stop(100);
    await load.checkEnd(seed);
    await checkLapsed(nodes, 3);
    await checkStore(nodes);
    const { history } = load;
    t.diagnostic(
      `${history.entries.length} requests, the longest took ${longest(history).toFixed(0)} ms; ${history.endings} endings; ${watch.accepted} fresh tokens accepted at the edge`,
    );
    watch.check(3);
    assertNoneFailed(history);
    assert.ok(longest(history) < longestStallMs, `a request took ${longest(history).toFixed(0)} ms`);
  } finally {
    await load.stop();
    await watch.stop();
    await nodes.close();
  }
});

it('D10 an upgrade of the embedded store under load and back again, an old and a new process on one file: no request fails', {
  skip: skipWithoutOldVersion,
  timeout: 240_000 + 60_000 * rounds,
}, async (t) => {
  const seed = seedOf(t);
  const random = seeded(seed);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-upgrade-'));
  const issuer = 'http://127.0.0.1:8080';
  await writeFile(join(folder, 'tessera.config.json'), JSON.stringify(appsConfig(issuer)));
  const server = (number: number, options: ServerProcessOptions) =>
    new ServerNode(number, undefined, issuer, () => startServerProcess(folder, { args: ['--port', '0'], ...options }));
  const before = server(0, { program: old.program });
  const next = server(1, {});
  const nodes = {
    issuer,
    get running() {
      return [before, next].filter((node) => node.isRunning);
    },
  };
  const load = new Load(balanced(nodes), random, { patienceMs });
  const watch = new EdgeWatch(nodes, random);
  try {
    await before.start();
    await load.begin(2 * rounds);
    await watch.begin();
    await load.endOne();
    await next.start();
    await load.begin(rounds);
    await load.endOne();
    await runCommand(folder, rotateNow);
    await before.stop();
    await load.endOne();
    // Back, and up again.
    await before.start();
    await load.begin(rounds);
    await next.stop();
    await load.endOne();
    await next.start();
    await watch.stop();
    await load.stop(100);
    await load.checkEnd(seed);
    const { history } = load;
    t.diagnostic(`${history.entries.length} requests, the longest took ${longest(history).toFixed(0)} ms`);
    watch.check(2);
    assertNoneFailed(history);
    await Promise.all([before.kill(), next.kill()]);
    checkFile(join(folder, 'data', 'tessera.db'));
  } finally {
    await load.stop();
    await watch.stop();
    await Promise.all([before.kill(), next.kill()]);
    await rm(folder, { recursive: true, force: true });
  }
});

/** As a load balancer does: nobody is sent to a node that was asked to stop. */
function balanced(nodes: Pick<Nodes, 'running'>): Pick<Nodes, 'all' | 'running'> {
  return {
    get all() {
      return nodes.running;
    },
    get running() {
      return nodes.running;
    },
  };
}

function assertNoneFailed({ entries }: History): void {
  const failed = entries.filter(({ outcome }) => outcome.kind === 'lost' || outcome.kind === 'away');
  assert.deepEqual(
    failed.map(
      ({ asked, node, fromMs, outcome }) => `${asked} at node ${node} at ${fromMs.toFixed(0)}: ${outcome.kind}`,
    ),
    [],
  );
}

function longest({ entries }: History): number {
  return Math.max(...entries.map(({ fromMs, toMs }) => toMs - fromMs));
}

/** Migrates while a stranger's transaction, which has written to the tables and read the log, does not end before `work` is done: the migration waits for it, and nobody else. */
async function migrateBesideAStranger(nodes: Nodes, work: () => Promise<void>): Promise<void> {
  const stranger = new pg.Client({ connectionString: nodes.postgres.connectionString });
  await stranger.connect();
  try {
    await stranger.query(
      'BEGIN; LOCK TABLE sessions, grant_state IN ROW EXCLUSIVE MODE; LOCK TABLE events IN ACCESS SHARE MODE',
    );
    const migrated = nodes.command('migrate');
    const atTheTables = async () => (await schemaOf(nodes)) === 2;
    await Promise.race([eventually(atTheTables), migrated]);
    await work();
    assert.equal(await schemaOf(nodes), 2, 'the migration waits');
    await stranger.query('COMMIT');
    assert.match(await migrated, /✓ expand to schema 4/);
  } finally {
    await stranger.end();
  }
}

async function schemaOf(nodes: Nodes): Promise<number | undefined> {
  return (await nodes.query<{ version: number }>('SELECT schema_version AS version FROM store_state'))[0]?.version;
}

/** Takes the event log up into partitions, as maintenance does within a minute. */
async function partition({ postgres }: Nodes): Promise<void> {
  const pool = openPool({ connectionString: postgres.connectionString, schema: undefined }, 1);
  try {
    await eventually(() => partitionEvents(pool));
  } finally {
    await pool.end();
  }
}

/** Signs in an app whose grant lapses within seconds. */
async function signInBriefly(nodes: Nodes, random: () => number): Promise<void> {
  await signInApps(() => pick(nodes.running, random).reach, ['brief']);
}

/** What lapsed has ended, whichever version it was begun at, and everything that lives will be found when it lapses. */
async function checkLapsed(nodes: Nodes, count: number): Promise<void> {
  const ended = "SELECT count(*)::int AS count FROM grant_state WHERE end_reason = 'idle'";
  await eventually(async () => (await nodes.query<{ count: number }>(ended))[0]?.count === count, 60_000);
  await eventually(async () => (await nodes.query('SELECT 1 FROM due_backfill')).length === 0, 60_000);
  const missed = await nodes.query(
    `SELECT 1 FROM grant_state LEFT JOIN grants_due USING (grant_id) WHERE ended_at IS NULL AND due_at IS NULL
     UNION ALL SELECT 1 FROM sessions LEFT JOIN sessions_due USING (sid) WHERE ended_at IS NULL AND due_at IS NULL`,
  );
  assert.deepEqual(missed, [], 'what lives stands among what will come due');
}

/** As `checkStore` and `checkLapsed`, of a file that nobody uses. */
function checkFile(file: string): void {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const { count, last } = db.prepare('SELECT count(*) AS count, max(position) AS last FROM events').get() as Counted;
    assert.equal(last, count, 'events are dense');
    const wrong = `
      SELECT 'an ending was told twice' AS what FROM events WHERE type = 'grant.ended' GROUP BY grant_id HAVING count(*) > 1
      UNION ALL SELECT 'an ending was told twice' FROM events WHERE type = 'session.ended' GROUP BY sid HAVING count(*) > 1
      UNION ALL SELECT 'a grant lives under an ended session'
        FROM grants JOIN grant_state s USING (grant_id) JOIN sessions USING (sid) WHERE sessions.ended_at IS NOT NULL AND s.ended_at IS NULL
      UNION ALL SELECT 'a grant will not be found when it lapses'
        FROM grant_state LEFT JOIN grants_due USING (grant_id) WHERE ended_at IS NULL AND due_at IS NULL
      UNION ALL SELECT 'a session will not be found when it lapses'
        FROM sessions LEFT JOIN sessions_due USING (sid) WHERE ended_at IS NULL AND due_at IS NULL`;
    assert.deepEqual(db.prepare(wrong).all(), []);
  } finally {
    db.close();
  }
}

type Counted = { count: number; last: number };

type Reachable = { issuer: string } & Pick<Nodes, 'running'>;

/** An app that refreshes at any node, and shows each access token at once to an edge that asks any node for keys. */
class EdgeWatch {
  readonly refused: string[] = [];
  accepted = 0;
  readonly #nodes: Reachable;
  readonly #random: () => number;
  readonly #keys = new Set<string>();
  #edge: Edge | undefined;
  #running: Promise<void> | undefined;
  #isRunning = true;

  constructor(nodes: Reachable, random: () => number) {
    this.#nodes = nodes;
    this.#random = random;
  }

  async begin(): Promise<void> {
    const { issuer } = this.#nodes;
    const route = (url: string) => url.replace(issuer, this.#node().url);
    this.#edge = await startTestEdge(issuer, { places: [issuer], route, maxAge: 60 });
    this.#running = this.#run(this.#edge).catch((error: unknown) => {
      this.refused.push(`the app at the edge failed: ${error}, ${(error as Error).cause}`);
    });
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#running;
    await this.#edge?.close();
  }

  /** Fails if the edge refused anything, or if it met fewer keys. */
  check(keys: number): void {
    assert.deepEqual(this.refused, []);
    assert.ok(this.accepted > 20 && this.#keys.size >= keys, `${this.accepted} tokens of ${this.#keys.size} keys`);
  }

  async #run(edge: Edge): Promise<void> {
    const [app] = await signInApps(() => this.#node().reach, ['web']);
    assert.ok(app);
    while (this.#isRunning) {
      const { status, body } = await present(this.#node().reach, app, app.refreshToken);
      assert.equal(status, 200, JSON.stringify(body));
      app.accessToken = String(body.access_token);
      app.refreshToken = String(body.refresh_token);
      const kid = kidOf(app.accessToken);
      const verdict = await verdictOf(edge, app);
      if (verdict === 'accepted') this.accepted += 1;
      else this.refused.push(`${verdict} (key ${kid})`);
      this.#keys.add(kid);
      await sleep(this.#random() * 20);
    }
  }

  #node(): ServerNode {
    return pick(this.#nodes.running, this.#random);
  }
}
