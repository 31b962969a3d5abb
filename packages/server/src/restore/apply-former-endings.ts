import type { JournaledStore } from '../store/journal/journaled-store.ts';
import { restoreRecordOf, restoreSetting } from '../store/restore-record.ts';
import { type Applied, applyEndings, type RestoreContext } from './apply-endings.ts';

/**
 * For a node that was away while the store was restored: ends again what its own journal holds and the restore did not know of, then goes on in the new epoch. Undefined when there is
 * nothing to do.
 */
export async function applyFormerEndings(
  context: Omit<RestoreContext, 'store'>,
  store: JournaledStore,
): Promise<Applied | undefined> {
  if (!store.isFormer) return undefined;
  const applied = await applyEndings({ ...context, store }, store.entries());
  const restore = restoreRecordOf(await store.get('setting', restoreSetting));
  await store.adopt(restore?.from.position ?? 0);
  return applied;
}
