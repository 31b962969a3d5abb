import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { sampleGrant, sampleSession } from '../sample-records.ts';
import { openSqliteStore } from './open.ts';

/** Makes a store with that many grants, for `crash-writer.ts` to rotate; returns their ids. */
export async function fillForCrash(file: string, callers: number): Promise<string[]> {
  const store = await openSqliteStore({ file });
  const session = sampleSession();
  const grants = Array.from({ length: callers }, () => sampleGrant(session));
  await store.commit([
    { change: 'create-session', session },
    ...grants.map((grant) => ({ change: 'create-grant', grant }) as const),
  ]);
  await store.close();
  return grants.map((grant) => grant.grantId);
}

/** The command that writes to the store until it is killed, and says what was acknowledged. */
export function crashWriter(file: string, grantIds: readonly string[]): string[] {
  const script = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  return [process.execPath, ...flags, script, file, ...grantIds];
}

/**
 * Opens what is left of the store and checks that all that was acknowledged is there, whole, and that the file is sound. Notes in `acknowledged` what was found.
 */
export async function checkAfterCrash(
  file: string,
  grantIds: readonly string[],
  acknowledged: Map<string, number>,
  when: string,
): Promise<void> {
  const store = await openSqliteStore({ file });
  let events = 0;
  for (const grantId of grantIds) {
    const generation = (await store.getGrant(grantId))?.generation ?? 0;
    const least = acknowledged.get(grantId) ?? 1;
    // One more may have been written without its answer getting out, but never two.
    assert.ok(generation === least || generation === least + 1, `${when}: ${least} acknowledged, ${generation} stored`);
    const story = await store.readEvents({ grantId, limit: 1_000_000 });
    const told = story.map((event) => event.data?.generation);
    assert.deepEqual(
      told,
      Array.from({ length: generation - 1 }, (_, index) => index + 2),
      `${when}: events of a grant`,
    );
    events += told.length;
    acknowledged.set(grantId, generation);
  }
  assert.equal((await store.position()).position, events, `${when}: positions are dense`);
  await store.close();
  const db = new DatabaseSync(file);
  assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' }, when);
  db.close();
}

/** A number from 0 to below `limit` that the seed decides. */
export function seeded(seed: number, name: string, limit: number): number {
  return createHash('sha256').update(`${seed}/${name}`).digest().readUInt32BE() % limit;
}
