import { digestClientSecret, matchesClientSecret } from '../secrets/client-secret.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import { firstEpoch } from '../sessions/removed-client.ts';
import { rememberLifetime, tokensUntil } from '../sessions/tokens-until.ts';
import type { ClientRecord } from '../store/records.ts';
import type { Change, NewEvent } from '../store/store.ts';
import { recordFieldsOf } from './client-record.ts';
import type { DeclaredClient } from './config.ts';
import { changedKeys, type Declaration, type DeclaringWithConfig } from './declare.ts';
import { listAll } from './list-all.ts';

/**
 * Decides what makes the store's client what the file says. Its epoch and, when it still fits, the digest of its secret stay. A client the file newly disables is cut off:
 * its epoch is raised, which ends all its tokens.
 */
export async function declareClient(
  client: DeclaredClient,
  declaring: DeclaringWithConfig,
): Promise<Declaration | undefined> {
  const { store, rootKeys, now } = declaring;
  const before = await store.get('client', client.client_id);
  const epoch = before?.epoch ?? (await firstEpoch(store, client.client_id));
  const record = toRecord(client, { before, epoch }, rootKeys, now);
  const changed = before ? changedKeys(before, record) : [];
  if (before && changed.length === 0) return undefined;
  const isCutOff = before !== undefined && record.disabled && !before.disabled;
  if (isCutOff) record.epoch++;
  const event: NewEvent = {
    type: before ? 'client.changed' : 'client.created',
    at: now,
    actor: { kind: 'server' },
    clientId: client.client_id,
    data: before ? { changed, by: 'configuration file' } : { by: 'configuration file' },
  };
  const change: Change = { change: 'put', kind: 'client', expect: before?.version ?? 'absent', record };
  return {
    outcome: before ? 'changed' : 'created',
    changes: [change, ...(await rememberLifetime(declaring, record.lifetimes.accessToken))],
    events: isCutOff ? [event, await epochRaised(record, declaring)] : [event],
  };
}

/** Disables and cuts off the clients that left the file, each with its events, and hands them to the admin API. Returns their ids. */
export async function undeclareClients(
  declared: readonly DeclaredClient[],
  declaring: DeclaringWithConfig,
): Promise<string[] | 'conflict'> {
  const gone = (await listAll(declaring.store, 'client')).filter(
    (record) => record.declared && !declared.some(({ client_id }) => client_id === record.clientId),
  );
  if (gone.length === 0) return [];
  const writes = await Promise.all(gone.map((record) => undeclare(record, declaring)));
  const { outcome } = await declaring.store.commit(
    writes.map(({ change }) => change),
    writes.flatMap(({ events }) => events),
  );
  return outcome === 'conflict' ? 'conflict' : gone.map(({ clientId }) => clientId);
}

async function undeclare(
  before: ClientRecord,
  declaring: DeclaringWithConfig,
): Promise<{ change: Change; events: NewEvent[] }> {
  const { now } = declaring;
  const epoch = before.disabled ? before.epoch : before.epoch + 1;
  const record: ClientRecord = { ...before, declared: false, disabled: true, epoch, updatedAt: now };
  const event: NewEvent = {
    type: 'client.changed',
    at: now,
    actor: { kind: 'server' },
    clientId: before.clientId,
    data: {
      changed: before.disabled ? ['declared'] : ['declared', 'disabled'],
      by: 'configuration file',
      left: true,
    },
  };
  return {
    change: { change: 'put', kind: 'client', expect: before.version, record },
    events: before.disabled ? [event] : [event, await epochRaised(record, declaring)],
  };
}

async function epochRaised({ clientId, epoch }: ClientRecord, declaring: DeclaringWithConfig): Promise<NewEvent> {
  const at = declaring.now;
  const until = await tokensUntil(declaring, at);
  const actor = { kind: 'server' } as const;
  return { type: 'client.epoch_raised', at, actor, clientId, data: { epoch }, audiences: null, until };
}

function toRecord(
  client: DeclaredClient,
  { before, epoch }: { before: ClientRecord | undefined; epoch: number },
  rootKeys: RootKeys,
  now: number,
): ClientRecord {
  return {
    ...recordFieldsOf(client),
    version: before?.version ?? 0,
    secretDigests: secretDigests(client.client_secret, before?.secretDigests ?? [], rootKeys),
    epoch,
    declared: true,
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
  };
}

/**
 * The file's one secret, under the digest it has, so that a start writes nothing; a digest under a refused root key is made anew, and so is one that has a time behind
 * it, which the admin API gives a secret that is being replaced.
 */
function secretDigests(secret: string | undefined, digests: readonly string[], rootKeys: RootKeys): string[] {
  if (secret === undefined) return [];
  const known = digests.find(
    (digest) => digest.split('.').length === 2 && matchesClientSecret(rootKeys, secret, digest),
  );
  return [known ?? digestClientSecret(rootKeys, secret)];
}
