import type { ClientRecord } from '../store/records.ts';
import type { Change, Store } from '../store/store.ts';

const nameOf = (clientId: string) => `removed_client:${clientId}`;

/**
 * The change that makes the store remember in which epoch a client was removed, to be committed together with the removal. The configuration file may name its id again: what
 * was issued before must then stay dead.
 */
export async function rememberRemoved(
  store: Pick<Store, 'get'>,
  { clientId, epoch }: Pick<ClientRecord, 'clientId' | 'epoch'>,
): Promise<Change> {
  const name = nameOf(clientId);
  const before = await store.get('setting', name);
  return {
    change: 'put',
    kind: 'setting',
    expect: before?.version ?? 'absent',
    record: { name, version: 0, value: { epoch } },
  };
}

/** The epoch in which a client of that id begins: 0, or, where one was removed, the one that cut it off. */
export async function firstEpoch(store: Pick<Store, 'get'>, clientId: string): Promise<number> {
  const removed = (await store.get('setting', nameOf(clientId)))?.value as { epoch: number } | undefined;
  return removed?.epoch ?? 0;
}
