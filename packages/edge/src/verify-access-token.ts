import { accessTokenType, decodeJwt, missingScopes, type Seconds } from '@tessera/protocol';
import type { RememberedTokens } from '@tessera/protocol/remembered-tokens';
import { type ClaimsExpectation, judgeJwtClaims } from './access-token-claims.ts';
import type { Introspection } from './introspect.ts';
import type { JsonWebKeySet } from './json-web-key-set.ts';
import { type Credentials, type RequestFacts, readCredentials } from './request-facts.ts';
import type { RevocationSet } from './revocations.ts';
import { isSignatureAlgorithm, verifyHmac, verifySignature } from './signature.ts';
import { decideByKnowledge, type Knowledge, type StalePolicy } from './stale-policy.ts';
import { type BindingPolicy, judgeBinding } from './token-binding.ts';
import { type HeaderField, type Refused, type Requirement, refused, type VerifiedAccessToken } from './verification.ts';

/** What the verification of a token works with. `knowledge` undefined: there is no feed, by explicit choice. */
export type VerificationParts = {
  mode: 'signature' | 'introspection';
  issuer: string;
  audiences: readonly string[];
  skew: Seconds;
  sharedSecret?: Uint8Array;
  keys: JsonWebKeySet;
  remembered: RememberedTokens;
  revocations: RevocationSet;
  knowledge?: () => Knowledge;
  policy: StalePolicy;
  introspection?: Introspection;
  canIntrospect: () => boolean;
  binding: BindingPolicy;
};

/** A request judged inside the edge; `credentials` and `token` as far as the judgement came, the token only once it was vouched for. */
export type Judgement = {
  outcome: { ok: true; responseHeaders: readonly HeaderField[] } | Refused;
  credentials?: Credentials;
  token?: VerifiedAccessToken;
};

/**
 * Judges a request top to bottom, the first failure wins: the credentials, the token (signature and claims, or introspection), what has ended, the binding to a key,
 * scopes and permissions. Source: RFC 9068 section 4, RFC 6750, RFC 9449 section 7.
 */
export async function judgeRequest(
  request: RequestFacts,
  requirement: Requirement,
  parts: VerificationParts,
  now: Seconds,
): Promise<Judgement> {
  const credentials = readCredentials(request);
  if (!credentials.ok) return { outcome: credentials };
  const expected = { issuer: parts.issuer, audiences: parts.audiences, skew: parts.skew, now };
  const judged = await judgeToken(credentials.token, expected, parts);
  if (isRefused(judged)) return { outcome: judged, credentials };
  const ended = parts.mode === 'signature' ? judgeEndings(credentials.token, judged, expected, parts) : undefined;
  const ending = ended instanceof Promise ? await ended : ended;
  if (ending) return { outcome: ending, credentials, token: judged };
  const bound = await judgeBinding(judged, credentials, request, parts.binding, now);
  if (!bound.ok) return { outcome: bound, credentials, token: judged };
  const token = bound.keyThumbprint === undefined ? judged : { ...judged, keyThumbprint: bound.keyThumbprint };
  return { outcome: judgeRequirement(token, requirement) ?? bound, credentials, token };
}

async function judgeToken(
  token: string,
  expected: ClaimsExpectation,
  parts: VerificationParts,
): Promise<VerifiedAccessToken | Refused> {
  if (parts.mode === 'introspection')
    return parts.introspection?.judge(token, expected) ?? refused('introspection_failed', 'there are no credentials');
  const decoded = decodeJwt(token);
  if (!decoded) return refused('token_malformed', 'the token is not a compact JWS');
  const { typ, alg, kid, crit } = decoded.header;
  // RFC 9068 section 4: the type is what keeps an ID token, or any other JWT of the issuer, from being taken for an access token.
  if (typ?.toLowerCase().replace(/^application\//, '') !== accessTokenType)
    return refused('token_type_wrong', `typ is ${quote(typ)}, expected "${accessTokenType}"`);
  // RFC 7515 section 4.1.11: no extension is understood here, so none may be critical.
  if (crit !== undefined) return refused('token_malformed', 'the header has crit');
  const wrong = parts.sharedSecret
    ? judgeHmac(parts.sharedSecret, token, alg, decoded.signature)
    : await judgeSignature(token, alg, kid, decoded.signature, parts);
  return wrong ?? judgeJwtClaims(decoded.payload, expected);
}

function judgeHmac(secret: Uint8Array, token: string, alg: string, signature: Uint8Array): Refused | undefined {
  if (alg !== 'HS256') return refused('token_algorithm_refused', `alg is ${quote(alg)}, expected "HS256"`);
  return verifyHmac(secret, token, signature) ? undefined : refused('token_signature_wrong');
}

/** `kid` and `alg` choose among the issuer's own keys; `jwk`, `jku` and `x5u` of the header are never looked at (RFC 8725 section 3.10). */
async function judgeSignature(
  token: string,
  alg: string,
  kid: string | undefined,
  signature: Uint8Array,
  { keys, remembered }: VerificationParts,
): Promise<Refused | undefined> {
  if (!isSignatureAlgorithm(alg)) return refused('token_algorithm_refused', `alg is ${quote(alg)}`);
  if (kid === undefined) return refused('token_key_unknown', 'the header has no kid');
  let key = keys.peek(kid, alg);
  if (!key) {
    const lookup = await keys.find(kid, alg);
    if (!lookup.found) {
      const why = lookup.detail === undefined ? '' : `: ${lookup.detail}`;
      return refused(keyReasons[lookup.because], `kid is ${quote(kid)}, alg ${alg}${why}`);
    }
    key = lookup.found;
  }
  if (remembered.has(token, key.number)) return undefined;
  if (!verifySignature(key, token, signature)) return refused('token_signature_wrong', `kid is ${quote(kid)}`);
  remembered.add(token, key.number);
  return undefined;
}

const keyReasons = { unknown: 'token_key_unknown', revoked: 'key_revoked', unavailable: 'keys_unavailable' } as const;

/** What is known to have ended is refused under every policy; the policy is about what is not known. */
function judgeEndings(
  token: string,
  verified: VerifiedAccessToken,
  expected: ClaimsExpectation,
  parts: VerificationParts,
): Refused | undefined | Promise<Refused | undefined> {
  const ended = parts.revocations.find(verified.claims);
  if (ended || !parts.knowledge) return ended;
  const knowledge = parts.knowledge();
  switch (decideByKnowledge(knowledge, parts.policy, parts.canIntrospect())) {
    case 'accept':
      return undefined;
    case 'refuse':
      return refused('revocations_stale', knowledge.isCurrent ? '' : knowledge.because);
    case 'introspect':
      return judgeByIntrospection(token, expected, parts);
  }
}

async function judgeByIntrospection(
  token: string,
  expected: ClaimsExpectation,
  { introspection }: VerificationParts,
): Promise<Refused | undefined> {
  if (!introspection) return refused('introspection_failed', 'there are no credentials');
  const judged = await introspection.judge(token, expected);
  return isRefused(judged) ? judged : undefined;
}

function judgeRequirement(
  token: VerifiedAccessToken,
  { scopes = [], permissions = [] }: Requirement,
): Refused | undefined {
  const missing = missingScopes(scopes, token.scopes);
  if (missing.length > 0) return refused('scope_missing', `missing ${missing.join(' ')}`);
  const lacking = missingScopes(permissions, token.permissions);
  return lacking.length > 0 ? refused('permission_missing', `missing ${lacking.join(' ')}`) : undefined;
}

function isRefused(value: VerifiedAccessToken | Refused): value is Refused {
  return 'ok' in value;
}

/** What a stranger wrote, cut to a length a log can take. */
function quote(text: string | undefined): string {
  return text === undefined ? 'missing' : JSON.stringify(text.slice(0, 100));
}
