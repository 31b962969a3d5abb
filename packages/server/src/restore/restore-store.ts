import type { JournalEntry } from '../store/journal/journal-entry.ts';
import { type RestorePolicy, type RestoreRecord, restoreRecordOf, restoreSetting } from '../store/restore-record.ts';
import type { Change } from '../store/store.ts';
import { type Applied, applyEndings, type RestoreContext } from './apply-endings.ts';
import { raiseIssuerEpoch } from './issuer-epoch.ts';
import { serverActor } from './server-actor.ts';

/** How a store that was put back to an older state is made fit for service again. */
export type RestoreOrder = {
  policy: RestorePolicy;
  /** The endings of the time that was lost, of every node. */
  journal: AsyncIterable<JournalEntry>;
  /** The epochs those journals have seen. */
  epochs: readonly number[];
  /** The new epoch, never used before. */
  epoch: number;
  /** Writes the epoch where the engine keeps it. */
  setEpoch(epoch: number): Promise<void>;
  onProgress?: (progress: string) => void;
};

/** What a restore did. */
export type Restored = { record: RestoreRecord; applied: Applied; cutOff: { sessions: number; grants: number } };

const slice = 200;

/**
 * Ends again what the journals say has ended, follows the policy, and begins a new epoch of the store, so that edges and cursors of the lost time start over. While it is under
 * way no server accepts the store; if it is cut short it is run again, from the beginning, and nothing is done twice.
 */
export async function restoreStore(context: RestoreContext, order: RestoreOrder): Promise<Restored> {
  const { store, now } = context;
  const onProgress = order.onProgress ?? (() => undefined);
  const before = restoreRecordOf(await store.get('setting', restoreSetting));
  const stood = await store.position();
  const from = before?.state === 'begun' ? before.from : stood;
  const formerEpochs = [...new Set([...(before?.formerEpochs ?? []), ...order.epochs, from.epoch, stood.epoch])].slice(
    -1000,
  );
  const record: RestoreRecord = { state: 'begun', policy: order.policy, at: now(), from, formerEpochs };
  await putRecord(context, record);
  await order.setEpoch(order.epoch);
  const applied = await applyEndings(context, order.journal, ({ entries }) =>
    onProgress(`journal: ${entries} ${entries === 1 ? 'ending' : 'endings'} looked at`),
  );
  const cutOff = order.policy === 'reauthenticate' ? await cutOffAll(context, onProgress) : { sessions: 0, grants: 0 };
  const at = now();
  const done: RestoreRecord = { ...record, state: 'done', at };
  await putRecord(context, done);
  const { sessions, grants, told, settings } = applied;
  const data = { policy: order.policy, from, sessions, grants, told, settings, cutOff };
  await store.commit([], [{ type: 'store.restored', at, actor: { kind: 'cli' }, data }]);
  return { record: done, applied, cutOff };
}

async function putRecord({ store }: RestoreContext, value: RestoreRecord): Promise<void> {
  for (;;) {
    const version = (await store.get('setting', restoreSetting))?.version;
    const put: Change = {
      change: 'put',
      kind: 'setting',
      expect: version ?? 'absent',
      record: { name: restoreSetting, version: 0, value },
    };
    if ((await store.commit([put])).outcome === 'committed') return;
  }
}

/** Cuts everybody off: tokens by the issuer's epoch, cookies by the end of their sessions. */
async function cutOffAll(
  context: RestoreContext,
  onProgress: (progress: string) => void,
): Promise<{ sessions: number; grants: number }> {
  const { store, now } = context;
  await raiseIssuerEpoch(context, (present) => present + 1);
  const total = { sessions: 0, grants: 0 };
  // Edges need not remember these one by one: the issuer's epoch covers them.
  const endingNow = () => ({ reason: 'store_restored' as const, at: now(), actor: serverActor, until: now() });
  for (;;) {
    const { items } = await store.listSessions({ state: 'live', now: now() }, { limit: slice });
    if (items.length === 0) break;
    const changes = items.map(
      ({ sid }): Change => ({ change: 'end-sessions', where: { sid }, offline: true, ending: endingNow() }),
    );
    add(await store.commit(changes));
  }
  for (;;) {
    const { items } = await store.listGrants({ state: 'live', now: now() }, { limit: slice });
    if (items.length === 0) break;
    const changes = items.map(
      ({ grantId }): Change => ({ change: 'end-grants', where: { grantId }, ending: endingNow() }),
    );
    add(await store.commit(changes));
  }
  return total;

  function add(result: Awaited<ReturnType<typeof store.commit>>): void {
    if (result.outcome === 'conflict') throw new TypeError('endings expect nothing, and yet one conflicted');
    total.sessions += result.ended.sids.length;
    total.grants += result.ended.grantIds.length;
    onProgress(`cut off: ${total.sessions} sessions, ${total.grants} grants`);
  }
}
