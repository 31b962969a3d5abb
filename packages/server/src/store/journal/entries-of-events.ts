import type { Seconds } from '@tessera/protocol';
import type { EventType } from '../../events/event-types.ts';
import type { EndReason } from '../records.ts';
import type { EventRecord, NewEvent, Store } from '../store.ts';
import type { JournalEntry } from './journal-entry.ts';

/** The events that tell of endings, or of changes that a restore should not quietly undo. */
export const journaledTypes: readonly EventType[] = [
  'session.ended',
  'grant.ended',
  'token.revoked',
  'client.epoch_raised',
  'issuer.epoch_raised',
  'key.revoked',
  'consent.withdrawn',
  'user.changed',
  'user.removed',
  'client.changed',
  'client.removed',
  'resource_server.changed',
  'resource_server.removed',
];

/** For how long what never ends by itself is kept: no backup older than this should be restored. 400 days. */
const settingsMatterFor: Seconds = 400 * 86_400;

// What lapsed by itself is lapsed in every older state too: its limits only ever moved forward.
const lapses: readonly EndReason[] = ['idle', 'expired'];
// Ended by name beside their client's epoch, which is in the journal and refuses them all.
const coveredByEpoch: readonly EndReason[] = ['client_cut_off', 'client_removed'];

/** Whether an event belongs into the journal. */
export function isJournaled({ type, data }: Pick<NewEvent, 'type' | 'data'>): boolean {
  if (!journaledTypes.includes(type)) return false;
  const reason = data?.reason as EndReason | undefined;
  if (type === 'session.ended') return reason === undefined || !lapses.includes(reason);
  if (type === 'grant.ended') return reason === undefined || ![...lapses, ...coveredByEpoch].includes(reason);
  return true;
}

/** What the journal holds of events: looks up how users and clients were left, and of events of older versions, until when an ending matters. */
export async function entriesOfEvents(
  store: Pick<Store, 'get' | 'getSession' | 'getGrant'>,
  events: readonly EventRecord[],
): Promise<JournalEntry[]> {
  const entries = await Promise.all(events.filter(isJournaled).map((event) => entryOf(store, event)));
  return entries.filter((entry) => entry !== undefined);
}

async function entryOf(
  store: Pick<Store, 'get' | 'getSession' | 'getGrant'>,
  event: EventRecord,
): Promise<JournalEntry | undefined> {
  const { type, position, at, userId, sid, grantId, clientId, data, until: edgesUntil, audiences } = event;
  const told = edgesUntil === undefined ? {} : { edgesUntil, audiences: audiences ?? null };
  const reason = data?.reason as EndReason | undefined;
  const base = { position, at, ...(reason !== undefined && { reason }), ...told };
  // Swept or removed since: what is left of it are tokens.
  const untilTokensEnd = edgesUntil ?? at;
  const lasting = { position, at, until: at + settingsMatterFor, ...told };
  const changed = Array.isArray(data?.changed) ? { changed: data.changed.map(String) } : {};
  switch (type) {
    case 'session.ended': {
      const endsAt = endsAtOf(event) ?? (await store.getSession(sid ?? ''))?.endsAt ?? untilTokensEnd;
      return { ...base, kind: 'session', id: sid ?? '', until: Math.max(endsAt, untilTokensEnd), ...of({ userId }) };
    }
    case 'grant.ended': {
      const endsAt = endsAtOf(event) ?? (await store.getGrant(grantId ?? ''))?.endsAt ?? untilTokensEnd;
      const until = Math.max(endsAt, untilTokensEnd);
      return { ...base, kind: 'grant', id: grantId ?? '', until, ...of({ userId, sid, clientId }) };
    }
    case 'token.revoked':
      return {
        ...base,
        kind: 'token',
        id: String(data?.jti),
        until: untilTokensEnd,
        ...of({ userId, sid, clientId }),
      };
    case 'client.epoch_raised':
      return { ...lasting, kind: 'client-epoch', id: clientId ?? '', epoch: Number(data?.epoch) };
    case 'issuer.epoch_raised':
      return { ...lasting, kind: 'issuer-epoch', id: '', epoch: Number(data?.epoch) };
    case 'key.revoked':
      return { ...lasting, kind: 'key', id: String(data?.kid) };
    case 'consent.withdrawn':
      return { ...lasting, kind: 'consent', id: `${userId}/${clientId}` };
    case 'user.changed':
    case 'user.removed': {
      const user = await store.get('user', userId ?? '');
      return { ...lasting, kind: 'user', id: userId ?? '', state: stateOf(user), ...changed };
    }
    case 'client.changed':
    case 'client.removed': {
      const client = await store.get('client', clientId ?? '');
      return { ...lasting, kind: 'client', id: clientId ?? '', state: stateOf(client), ...changed };
    }
    case 'resource_server.changed':
    case 'resource_server.removed':
      return { ...lasting, kind: 'resource-server', id: String(data?.resourceServerId ?? data?.id ?? ''), ...changed };
    default:
      return undefined;
  }
}

// What a process of an older version ended does not tell it.
function endsAtOf({ data }: EventRecord): Seconds | undefined {
  return typeof data?.endsAt === 'number' ? data.endsAt : undefined;
}

function stateOf(record: { disabled: boolean } | undefined): 'enabled' | 'disabled' | 'removed' {
  if (record === undefined) return 'removed';
  return record.disabled ? 'disabled' : 'enabled';
}

/** Only the ids there are. */
function of(ids: { userId?: string | undefined; sid?: string | undefined; clientId?: string | undefined }) {
  return Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== undefined)) as Record<string, string>;
}
