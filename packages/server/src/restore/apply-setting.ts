import type { Seconds } from '@tessera/protocol';
import { tokensUntil } from '../sessions/tokens-until.ts';
import type { JournalEntry } from '../store/journal/journal-entry.ts';
import type { ClientRecord, UserRecord } from '../store/records.ts';
import type { Change, NewEvent } from '../store/store.ts';
import { revokeSigningKey } from '../tokens/key-rotation.ts';
import type { RestoreContext } from './apply-endings.ts';
import { raiseIssuerEpoch } from './issuer-epoch.ts';
import { serverActor } from './server-actor.ts';

/** What was changed since the state that was put back, and is not applied again: somebody must look. */
export type Review = { kind: 'user' | 'client' | 'resource-server'; id: string; at: Seconds; what: string };

type AppliedSetting = { changed: boolean; review?: Review };

/**
 * Applies again what was decided about a user, a client, a key, a consent or an epoch, as far as it takes something away: disabled, cut off, revoked, withdrawn. What was removed is disabled,
 * and named for review; other changes are only named. A record that was changed after the entry stays as it is.
 */
export async function applySetting(context: RestoreContext, entry: JournalEntry): Promise<AppliedSetting> {
  for (;;) {
    const outcome = await applyOnce(context, entry);
    if (outcome !== 'conflict') return outcome;
  }
}

function applyOnce(context: RestoreContext, entry: JournalEntry): Promise<AppliedSetting | 'conflict'> {
  switch (entry.kind) {
    case 'user':
      return applyUser(context, entry);
    case 'client':
      return applyClient(context, entry);
    case 'client-epoch':
      return applyClientEpoch(context, entry);
    case 'issuer-epoch':
      return applyIssuerEpoch(context, entry);
    case 'key':
      return applyKey(context, entry);
    case 'consent':
      return applyConsent(context, entry);
    default:
      return reviewOf(context, entry);
  }
}

async function applyUser(context: RestoreContext, entry: JournalEntry): Promise<AppliedSetting | 'conflict'> {
  const { store, now } = context;
  const user = await store.get('user', entry.id);
  if (user === undefined) return { changed: false };
  const review = reviewChange(entry, 'user', user);
  if (!takesAway(entry, user)) return { changed: false, ...review };
  const at = now();
  const ending = {
    reason: 'user_disabled' as const,
    at,
    actor: serverActor,
    until: await tokensUntil(context, at),
    data: { restored: true },
  };
  const record: UserRecord = { ...user, disabled: true, updatedAt: at };
  const event: NewEvent = {
    type: 'user.changed',
    at,
    actor: serverActor,
    userId: entry.id,
    data: { changed: ['disabled'], restored: true },
  };
  const result = await store.commit(
    [
      { change: 'put', kind: 'user', expect: user.version, record },
      { change: 'end-sessions', where: { userId: entry.id }, offline: true, ending },
    ],
    [event],
  );
  return result.outcome === 'conflict' ? 'conflict' : { changed: true, ...review };
}

async function applyClient(context: RestoreContext, entry: JournalEntry): Promise<AppliedSetting | 'conflict'> {
  const client = await context.store.get('client', entry.id);
  if (client === undefined) return { changed: false };
  const review = reviewChange(entry, 'client', client);
  if (!takesAway(entry, client)) return { changed: false, ...review };
  const record = { ...client, disabled: true, epoch: client.epoch + 1 };
  return (await putClient(context, client, record, ['disabled'])) ? { changed: true, ...review } : 'conflict';
}

async function applyClientEpoch(context: RestoreContext, entry: JournalEntry): Promise<AppliedSetting | 'conflict'> {
  const { id, epoch = 0 } = entry;
  const client = await context.store.get('client', id);
  if (client === undefined) return tell(context, entry, { type: 'client.epoch_raised', clientId: id, data: { epoch } });
  if (client.epoch >= epoch) return { changed: false };
  return (await putClient(context, client, { ...client, epoch }, [])) ? { changed: true } : 'conflict';
}

/** Writes a client that is cut off. */
async function putClient(
  context: RestoreContext,
  before: ClientRecord,
  after: ClientRecord,
  changed: string[],
): Promise<boolean> {
  const at = context.now();
  const { clientId, epoch } = after;
  const who = { at, actor: serverActor, clientId };
  const record = { ...after, updatedAt: at };
  const until = await tokensUntil(context, at);
  const result = await context.store.commit(
    [{ change: 'put', kind: 'client', expect: before.version, record }],
    [
      { type: 'client.changed', ...who, data: { changed, restored: true } },
      { type: 'client.epoch_raised', ...who, data: { epoch, restored: true }, audiences: null, until },
    ],
  );
  return result.outcome === 'committed';
}

async function applyIssuerEpoch(context: RestoreContext, { epoch = 0 }: JournalEntry): Promise<AppliedSetting> {
  return { changed: await raiseIssuerEpoch(context, (present) => Math.max(present, epoch)) };
}

async function applyKey(context: RestoreContext, entry: JournalEntry): Promise<AppliedSetting> {
  const key = await context.store.get('signing_key', entry.id);
  if (key === undefined) return tell(context, entry, { type: 'key.revoked', data: { kid: entry.id } });
  if (key.state === 'revoked') return { changed: false };
  await revokeSigningKey(context, entry.id, await tokensUntil(context, context.now()), serverActor);
  return { changed: true };
}

async function applyConsent({ store, now }: RestoreContext, entry: JournalEntry): Promise<AppliedSetting | 'conflict'> {
  const consent = await store.get('consent', entry.id);
  if (consent === undefined || consent.grantedAt > entry.at) return { changed: false };
  const { userId, clientId, version } = consent;
  const remove: Change = { change: 'remove', kind: 'consent', id: entry.id, expect: version };
  const result = await store.commit(
    [remove],
    [{ type: 'consent.withdrawn', at: now(), actor: serverActor, userId, clientId, data: { restored: true } }],
  );
  return result.outcome === 'conflict' ? 'conflict' : { changed: true };
}

async function reviewOf({ store }: RestoreContext, entry: JournalEntry): Promise<AppliedSetting> {
  const server = await store.get('resource_server', entry.id);
  if (server === undefined) return { changed: false };
  return { changed: false, ...reviewChange(entry, 'resource-server', server) };
}

/** Tells the edges what the state that was put back does not know at all. */
async function tell(
  { store, now }: RestoreContext,
  { edgesUntil: until }: JournalEntry,
  event: Pick<NewEvent, 'type' | 'clientId' | 'data'>,
): Promise<AppliedSetting> {
  const at = now();
  if (until === undefined || until <= at) return { changed: false };
  const data = { ...event.data, restored: true };
  await store.commit([], [{ ...event, at, actor: serverActor, data, audiences: null, until }]);
  return { changed: true };
}

function takesAway({ state, at }: JournalEntry, record: { disabled: boolean; updatedAt: Seconds }): boolean {
  return !record.disabled && (state === 'disabled' || state === 'removed') && record.updatedAt <= at;
}

function reviewChange(
  { state, at, changed = [] }: JournalEntry,
  kind: Review['kind'],
  record: { updatedAt: Seconds } & ({ userId: string } | { clientId: string } | { resourceServerId: string }),
): { review?: Review } {
  // The change is part of the state that was put back.
  if (record.updatedAt >= at) return {};
  const id = 'userId' in record ? record.userId : 'clientId' in record ? record.clientId : record.resourceServerId;
  if (state === 'removed')
    return { review: { kind, id, at, what: 'was removed; it is disabled now, remove it again' } };
  const isEnabled = state === 'enabled' && (record as { disabled?: boolean }).disabled === true;
  const names = changed.filter((name) => name !== 'disabled');
  if (isEnabled) return { review: { kind, id, at, what: 'was enabled; it is disabled again' } };
  if (names.length === 0) return {};
  return { review: { kind, id, at, what: `was changed: ${names.join(', ')}; what stood there before holds again` } };
}
