import type { Seconds } from './time.ts';

/** The media type in the header of a Security Event Token. Source: RFC 8417 section 2.3. */
export const securityEventType = 'secevent+jwt';

/** The media type in the header of the signed mark that says how far and as of when a poll answer reaches. Ours. */
export const feedMarkType = 'tessera-feed-mark+jwt';

/** The largest clock skew, in seconds, an edge may allow; an entry of the feed matters that much longer than the tokens it ends. */
export const largestAllowedSkew: Seconds = 60;

/** The event URIs of the revocation feed. `session-revoked` is CAEP's (OpenID CAEP 1.0 section 3.1); the others are ours. */
export const eventUris = {
  sessionRevoked: 'https://schemas.openid.net/secevent/caep/event-type/session-revoked',
  grantRevoked: 'urn:tessera:secevent:grant-revoked',
  tokenRevoked: 'urn:tessera:secevent:token-revoked',
  clientEpochRaised: 'urn:tessera:secevent:client-epoch-raised',
  issuerEpochRaised: 'urn:tessera:secevent:issuer-epoch-raised',
  keyRevoked: 'urn:tessera:secevent:key-revoked',
} as const;

/** What one entry of the feed ends. `until`: from then on no token it could concern passes any check, so it may be forgotten. */
export type Revocation =
  | { kind: 'session'; sid: string; iss: string; sub: string; until: Seconds }
  | { kind: 'grant'; grant_id: string; until: Seconds }
  | { kind: 'token'; jti: string; until: Seconds }
  /** Every token of the client whose `client_epoch` is below `epoch`. */
  | { kind: 'client-epoch'; client_id: string; epoch: number; until: Seconds }
  /** Every token whose `issuer_epoch` is below `epoch`. */
  | { kind: 'issuer-epoch'; epoch: number; until: Seconds }
  /** Every token signed by that key. The entry is never signed by the key it revokes. */
  | { kind: 'key'; kid: string; until: Seconds };

/** The claims of a SET of the feed. `jti` is `<store epoch>.<position>`: the cursor. Source: RFC 8417 section 2.2. */
export type SecurityEventClaims = {
  iss: string;
  jti: string;
  iat: Seconds;
  txn?: string;
  /** RFC 9493: a complex subject for a session, an opaque one else. */
  sub_id: Record<string, unknown>;
  events: Record<string, Record<string, unknown>>;
};

/**
 * The claims of the feed mark, which each poll answer carries: having processed the answer, a receiver knows every ending up to `as_of`.
 * `jti` is the position the answer reaches (`<store epoch>.<position>`) and may be acknowledged like a SET's.
 */
export type FeedMarkClaims = { iss: string; jti: string; iat: Seconds; as_of_ms: number };

/** A poll request. Source: RFC 8936 section 2.4. Nothing acknowledged, or a position of another store epoch, asks for the whole replay. */
export type PollRequest = {
  ack?: string[];
  maxEvents?: number;
  returnImmediately?: boolean;
  setErrs?: Record<string, { err: string; description?: string }>;
};

/**
 * A poll answer. Source: RFC 8936 section 2.3; `mark` and `resync` are ours. `resync` true: the answer starts a full replay, so what the
 * receiver held is replaced by what follows up to the first answer with `moreAvailable` false.
 */
export type PollAnswer = { sets: Record<string, string>; moreAvailable?: boolean; mark: string; resync?: boolean };

/** The claims, without `iss`, `jti` and `iat`, that tell a revocation. */
export function securityEventOf(revocation: Revocation, at: Seconds): Pick<SecurityEventClaims, 'sub_id' | 'events'> {
  const payload = { event_timestamp: at, until: revocation.until };
  switch (revocation.kind) {
    case 'session':
      return {
        sub_id: {
          format: 'complex',
          session: { format: 'opaque', id: revocation.sid },
          user: { format: 'iss_sub', iss: revocation.iss, sub: revocation.sub },
        },
        events: { [eventUris.sessionRevoked]: payload },
      };
    case 'grant':
      return { sub_id: opaque(revocation.grant_id), events: { [eventUris.grantRevoked]: payload } };
    case 'token':
      return { sub_id: opaque(revocation.jti), events: { [eventUris.tokenRevoked]: payload } };
    case 'client-epoch':
      return {
        sub_id: opaque(revocation.client_id),
        events: { [eventUris.clientEpochRaised]: { ...payload, epoch: revocation.epoch } },
      };
    case 'issuer-epoch':
      return {
        sub_id: opaque('issuer'),
        events: { [eventUris.issuerEpochRaised]: { ...payload, epoch: revocation.epoch } },
      };
    case 'key':
      return { sub_id: opaque(revocation.kid), events: { [eventUris.keyRevoked]: payload } };
  }
}

/**
 * What a SET of the feed ends, or undefined for an event this version does not know or a SET that lacks what its event needs. Takes the claims as
 * they came: a right signature says who wrote them, not that they are whole.
 */
export function revocationOf(claims: Pick<SecurityEventClaims, 'sub_id' | 'events'>): Revocation | undefined {
  const subject = recordOf(claims.sub_id);
  const [uri, event] = Object.entries(recordOf(claims.events)).find(([name]) => isFeedEventUri(name)) ?? [];
  const { until, epoch } = recordOf(event);
  if (!isFiniteNumber(until)) return undefined;
  if (uri === eventUris.sessionRevoked) {
    const { id: sid } = recordOf(subject.session);
    const { iss, sub } = recordOf(subject.user);
    if (!isText(sid) || !isText(iss) || !isText(sub)) return undefined;
    return { kind: 'session', sid, iss, sub, until };
  }
  const { id } = subject;
  if (!isText(id)) return undefined;
  switch (uri) {
    case eventUris.grantRevoked:
      return { kind: 'grant', grant_id: id, until };
    case eventUris.tokenRevoked:
      return { kind: 'token', jti: id, until };
    case eventUris.keyRevoked:
      return { kind: 'key', kid: id, until };
    case eventUris.clientEpochRaised:
      return isFiniteNumber(epoch) ? { kind: 'client-epoch', client_id: id, epoch, until } : undefined;
    case eventUris.issuerEpochRaised:
      return isFiniteNumber(epoch) ? { kind: 'issuer-epoch', epoch, until } : undefined;
    default:
      return undefined;
  }
}

/** True for the URI of an event that the revocation feed carries. */
export function isFeedEventUri(uri: string): boolean {
  return (Object.values(eventUris) as string[]).includes(uri);
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function opaque(id: string): Record<string, unknown> {
  return { format: 'opaque', id };
}
