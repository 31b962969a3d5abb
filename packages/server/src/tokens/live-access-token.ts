import type { AccessTokenClaims, RefusalReason } from '@tessera/protocol';
import type { Context } from '../context.ts';
import { grantEnd } from '../sessions/grant-end.ts';
import type { ClientRecord, GrantRecord, UserRecord } from '../store/records.ts';
import { readAccessToken } from './access-token.ts';
import { readWithKeysOfNow } from './key-of-now.ts';

/** An access token judged at this moment. */
export type LiveAccessToken =
  | {
      live: true;
      claims: AccessTokenClaims;
      client: ClientRecord;
      grant: GrantRecord | undefined;
      user: UserRecord | undefined;
      username: string | undefined;
    }
  | { live: false; reason: RefusalReason; claims?: AccessTokenClaims };

/** Judges an access token against everything it hangs on, as the store holds it now: expiry, single revocation, grant, session, user, client, epochs. */
export async function liveAccessToken(context: Context, token: string): Promise<LiveAccessToken> {
  const servers = await context.registry.resourceServers();
  const claims = await readWithKeysOfNow(context, token, () => readAccessToken(context, servers, token));
  if (!claims) return { live: false, reason: 'token_malformed' };
  const now = context.now();
  if (claims.exp <= now) return { live: false, reason: 'token_expired', claims };
  const { grant, user, clientVersion, isRemembered } = await context.store.getStanding({
    grantId: claims.grant_id,
    clientId: claims.client_id,
    rememberedKey: `revoked:${claims.jti}`,
    now,
  });
  if (isRemembered) return { live: false, reason: 'token_revoked', claims };
  // As the store has it now: another process may have cut the client off a moment ago.
  const client = await context.registry.clientAsOf(claims.client_id, clientVersion);
  if (!client || client.disabled) return { live: false, reason: 'client_disabled', claims };
  if ((claims.client_epoch ?? 0) < client.epoch) return { live: false, reason: 'client_cut_off', claims };
  if ((claims.issuer_epoch ?? 0) < context.issuerEpoch()) return { live: false, reason: 'issuer_cut_off', claims };
  if (claims.grant_id === undefined)
    return { live: true, claims, client, grant: undefined, user: undefined, username: undefined };
  if (!grant) return { live: false, reason: 'grant_ended', claims };
  if (!saysWhatItsGrantGives(claims, grant)) return { live: false, reason: 'token_malformed', claims };
  const ended = grantEnd({ grant, client, user, issuerEpoch: context.issuerEpoch() }, now);
  return ended
    ? { live: false, reason: ended, claims }
    : { live: true, claims, client, grant, user, username: user?.username };
}

/**
 * True when a token says no more than its grant gives. What this server made always does; an API that holds the HS256 secret of its tokens can write any grant into one, with any user and scope. Pure.
 */
export function saysWhatItsGrantGives(claims: AccessTokenClaims, grant: GrantRecord): boolean {
  return (
    claims.client_id === grant.clientId &&
    claims.sub === grant.userId &&
    (claims.sid === undefined || claims.sid === grant.sid) &&
    (grant.jkt === null || claims.cnf?.jkt === grant.jkt) &&
    isWithin(claims.scope === '' ? [] : claims.scope.split(' '), grant.scopes) &&
    (grant.resources.length === 0 || isWithin([claims.aud].flat(), grant.resources))
  );
}

function isWithin(some: readonly string[], all: readonly string[]): boolean {
  return some.every((one) => all.includes(one));
}
