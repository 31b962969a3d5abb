import { hash } from 'node:crypto';
import type { Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import type { ClientRecord, GrantRecord, UserRecord } from '../store/records.ts';
import { userClaims } from './user-claims.ts';

/** What an ID token is made from. `nonce` only with the code's redemption, never at a refresh (OpenID Connect Core 1.0 section 12.2). */
export type IdTokenFacts = {
  client: ClientRecord;
  grant: GrantRecord;
  user: UserRecord;
  scopes: readonly string[];
  accessToken: string;
  nonce?: string | undefined;
  now: Seconds;
};

/** An ID token. Source: OpenID Connect Core 1.0 sections 2 and 3.1.3.6; `sid`: OpenID Connect Front-Channel Logout 1.0 section 3. */
export function issueIdToken(tools: Pick<Context, 'config' | 'signingKeys'>, facts: IdTokenFacts): string {
  const { client, grant, user } = facts;
  const algorithm = client.idTokenAlgorithm;
  const requested = grant.claims?.id_token as Record<string, unknown> | undefined;
  return tools.signingKeys.sign(algorithm, 'JWT', {
    ...userClaims(user, facts.scopes, requested),
    iss: tools.config.issuer,
    sub: user.userId,
    aud: client.clientId,
    iat: facts.now,
    exp: facts.now + tools.config.lifetimes.idToken,
    auth_time: grant.authTime,
    acr: grant.acr,
    amr: grant.amr,
    sid: grant.sid,
    at_hash: leftHalfHash(facts.accessToken, algorithm),
    ...(facts.nonce === undefined ? {} : { nonce: facts.nonce }),
  });
}

/** `at_hash`: the left half of the hash that goes with the signature's algorithm. EdDSA on Ed25519 goes with SHA-512. */
function leftHalfHash(token: string, algorithm: ClientRecord['idTokenAlgorithm']): string {
  const digest = hash(algorithm === 'EdDSA' ? 'sha512' : 'sha256', token, 'buffer');
  return digest.subarray(0, digest.length / 2).toString('base64url');
}
