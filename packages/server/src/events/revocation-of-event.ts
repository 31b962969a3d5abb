import type { Revocation } from '@tessera/protocol';
import type { EventRecord } from '../store/store.ts';
import type { EventType } from './event-types.ts';

/** The events that go out on the revocation feed. */
export const revocationTypes: readonly EventType[] = [
  'session.ended',
  'grant.ended',
  'token.revoked',
  'client.epoch_raised',
  'issuer.epoch_raised',
  'key.revoked',
];

/** What an event ends, as the feed tells it; undefined for events that end nothing. */
export function revocationOfEvent(event: EventRecord, issuer: string): Revocation | undefined {
  const { until, data } = event;
  if (until === undefined) return undefined;
  switch (event.type) {
    case 'session.ended':
      return { kind: 'session', sid: event.sid ?? '', iss: issuer, sub: event.userId ?? '', until };
    case 'grant.ended':
      return { kind: 'grant', grant_id: event.grantId ?? '', until };
    case 'token.revoked':
      return { kind: 'token', jti: String(data?.jti), until };
    case 'client.epoch_raised':
      return { kind: 'client-epoch', client_id: event.clientId ?? '', epoch: Number(data?.epoch), until };
    case 'issuer.epoch_raised':
      return { kind: 'issuer-epoch', epoch: Number(data?.epoch), until };
    case 'key.revoked':
      return { kind: 'key', kid: String(data?.kid), until };
    default:
      return undefined;
  }
}
