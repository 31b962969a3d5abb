import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { unpackKey } from '../../packages/server/src/store/sqlite/key.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import type { Store } from '../../packages/server/src/store/store.ts';

/** What this program does: rotate grants of the store in that file, so many a second whether it keeps up or not, any of all it holds. */
export type CommitTask = { file: string; perSecond: number; seconds: number };

/**
 * What came of it. `waitedMs`: from the moment a refresh was due to its commit's answer, whatever held it up; `committedMs`: from the commit's call. `logBytes`: the most the write-ahead
 * log became; `checkpoints`: how often some of it was copied into the file; `restarts`: how often it began anew.
 */
export type CommitResult = {
  waitedMs: number[];
  committedMs: number[];
  elapsedMs: number;
  errors: number;
  logBytes: number;
  checkpoints: number;
  restarts: number;
};

const mostAtOnce = 16;
const idBytes = 16;

process.once('disconnect', () => process.exit(0));
run(JSON.parse(process.argv[2] ?? '{}') as CommitTask).then(
  (result) => process.send?.({ result }, () => process.exit(0)),
  (error: unknown) => {
    process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(1);
  },
);

async function run({ file, perSecond, seconds }: CommitTask): Promise<CommitResult> {
  const grantIds = readGrantIds(file);
  const store = await openSqliteStore({ file });
  const busy = new Set<string>();
  const result: CommitResult = {
    waitedMs: [],
    committedMs: [],
    elapsedMs: 0,
    errors: 0,
    logBytes: 0,
    checkpoints: 0,
    restarts: 0,
  };
  const watch = watchLog(file, result);
  const startedMs = performance.now();
  const due = perSecond * seconds;
  const refreshes: Promise<void>[] = [];
  while (refreshes.length < due) {
    const dueByNow = Math.min(due, ((performance.now() - startedMs) * perSecond) / 1000);
    // A few at a time: who has fallen behind must hear the answers that come meanwhile.
    for (let begun = 0; begun < mostAtOnce && refreshes.length < dueByNow; begun++) {
      const dueMs = startedMs + (refreshes.length * 1000) / perSecond;
      refreshes.push(refreshAny(store, grantIds, busy, dueMs, result));
    }
    if (refreshes.length < dueByNow) await new Promise((resolve) => setImmediate(resolve));
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(refreshes);
  result.elapsedMs = performance.now() - startedMs;
  watch.stop();
  await store.close();
  return result;
}

async function refreshAny(
  store: Store,
  grantIds: Buffer,
  busy: Set<string>,
  dueMs: number,
  result: CommitResult,
): Promise<void> {
  let grantId = '';
  do grantId = anyOf(grantIds);
  while (busy.has(grantId));
  busy.add(grantId);
  try {
    const grant = await store.getGrant(grantId);
    const user = grant && (await store.get('user', grant.userId));
    if (!grant || !user) throw new Error('a record is missing');
    const at = Math.floor(Date.now() / 1000);
    const idleAt = grant.idleAt === null ? null : Math.min(at + (grant.idleLimit ?? 0), grant.endsAt);
    const { generation: expect, sealKeyId, lastOrigin: origin } = grant;
    const calledMs = performance.now();
    const { outcome } = await store.commit([
      { change: 'rotate-grant', grantId, expect, sealKeyId, at, idleAt, origin },
    ]);
    const answeredMs = performance.now();
    if (outcome !== 'committed') result.errors++;
    result.committedMs.push(answeredMs - calledMs);
    result.waitedMs.push(answeredMs - dueMs);
  } catch {
    result.errors++;
  } finally {
    busy.delete(grantId);
  }
}

function anyOf(grantIds: Buffer): string {
  const place = Math.floor((Math.random() * grantIds.length) / idBytes) * idBytes;
  return unpackKey(grantIds.subarray(place, place + idBytes));
}

/** The ids of all grants, side by side. */
function readGrantIds(file: string): Buffer {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const { count } = db.prepare('SELECT count(*) AS count FROM grant_state').get() as { count: number };
    // One after the other in one piece of memory: ten million by themselves are more than the heap holds.
    const all = Buffer.alloc(count * idBytes);
    let end = 0;
    const ids = db.prepare(
      `SELECT grant_id AS id FROM grant_state WHERE typeof(grant_id) = 'blob' AND length(grant_id) = ${idBytes}`,
    );
    for (const row of ids.iterate()) {
      all.set((row as { id: Uint8Array }).id, end);
      end += idBytes;
    }
    return all.subarray(0, end);
  } finally {
    db.close();
  }
}

/** Looks at the log every few milliseconds. Source: https://sqlite.org/walformat.html sections 1.1 (salt) and 2.1 (nBackfill). */
function watchLog(file: string, result: CommitResult): { stop(): void } {
  const log = openSync(`${file}-wal`, 'r');
  const index = openSync(`${file}-shm`, 'r');
  const bytes = Buffer.alloc(4);
  const numberAt = (descriptor: number, position: number) => {
    readSync(descriptor, bytes, 0, 4, position);
    return bytes.readUInt32LE();
  };
  let salt = numberAt(log, 16);
  let copied = numberAt(index, 96);
  const look = () => {
    result.logBytes = Math.max(result.logBytes, statSync(`${file}-wal`).size);
    const [saltNow, copiedNow] = [numberAt(log, 16), numberAt(index, 96)];
    if (saltNow !== salt) result.restarts++;
    if (copiedNow > copied) result.checkpoints++;
    [salt, copied] = [saltNow, copiedNow];
  };
  const timer = setInterval(look, 5);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      closeSync(log);
      closeSync(index);
    },
  };
}
