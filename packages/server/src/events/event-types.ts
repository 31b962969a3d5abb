/**
 * What can happen, and in words. Closed list: nothing else is appended. Types marked as revocations go out on the revocation feed.
 */
export const eventTypes = {
  'session.started': 'Somebody signed in.',
  'session.renewed': 'The same user signed in again in the same browser.',
  'session.ended': 'A session ended, and with it the grants it carried.',
  'grant.started': 'An application was given a grant.',
  'grant.ended': 'A grant ended by itself, its session living on or having ended before.',
  'grant.origin_changed': 'A grant was used from another address or browser than before.',
  'grant.resumed':
    'After a restore, a grant was moved forward to the refresh token its client holds, which is newer than the store.',
  'refresh.reused': 'A spent refresh token came after its retry window; its grant ended.',
  'code.reused': 'An authorization code came a second time; what it issued ended.',
  'token.revoked': 'A single access token was revoked.',
  'client.epoch_raised': 'Everything of a client was ended at once.',
  'issuer.epoch_raised': 'Everything of the issuer was ended at once.',
  'key.created': 'A signing key was announced.',
  'key.activated': 'A signing key began to sign.',
  'key.revoked': 'A signing key was revoked; what it signed is refused.',
  'sign_in.failed': 'A sign-in failed.',
  'sign_in.throttled': 'A sign-in was refused because of too many failures.',
  'dpop.replayed': 'A DPoP proof came a second time.',
  'consent.granted': 'A user allowed an application something.',
  'consent.withdrawn': 'A user, or an administrator for them, withdrew what an application was allowed.',
  'user.created': 'A user was created.',
  'user.changed': 'A user was changed.',
  'user.removed': 'A user was removed.',
  'client.created': 'A client was registered.',
  'client.changed': 'A client was changed.',
  'client.removed': 'A client was removed.',
  'resource_server.created': 'A resource server was registered.',
  'resource_server.changed': 'A resource server was changed.',
  'resource_server.removed': 'A resource server was removed.',
  'store.restored': 'An older state of the store was put back; its data tell the policy and what was ended again.',
  'request.refused': 'A request was refused; its data name the reason.',
} as const;

export type EventType = keyof typeof eventTypes;

/** Who caused an event: a user, a client, an administrator's token, the command line, or the server itself. */
export type Actor =
  | { kind: 'user'; userId: string }
  | { kind: 'client'; clientId: string }
  | { kind: 'admin'; clientId: string; userId?: string }
  | { kind: 'cli' }
  | { kind: 'server' };
