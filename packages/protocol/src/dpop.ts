import { EmbeddedJWK, type JWK, jwtVerify } from 'jose';
import { encodeBase64url } from './base64url.ts';
import { jwkThumbprint } from './jwk-thumbprint.ts';
import { decodeJwt } from './jwt.ts';
import type { Seconds } from './time.ts';

/** Algorithms a DPoP proof may be signed with: asymmetric ones only. Source: RFC 9449 section 4.3, check 5. */
export const dpopAlgorithms = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const;

/** What a proof is judged against. `proofLifetime`: how far its `iat` may lie in the past (default 60); `skew`: how far in the future (default 5). */
export type DpopExpectation = {
  method: string;
  /** The request's URL; its query and fragment are ignored. */
  url: string;
  now: Seconds;
  proofLifetime?: Seconds;
  skew?: Seconds;
  /**
   * Nonces of ours: whether one is fresh, and for how long one stays so at the most. A proof that answers a fresh one was made just now, whatever the clock of its device says
   * (RFC 9449 section 4.3, check 11).
   */
  nonces?: { isFresh(nonce: string): boolean; lifetime: Seconds };
  /** At a resource: the access token, which the proof must name by `ath`. */
  accessToken?: string;
};

/**
 * A proof that holds. `nonce` is as the client sent it; whether it is one of ours is the caller's to judge, and so is whether `jti` was seen
 * before (remember `replayKey` until `forgetAt`).
 */
export type DpopProof = {
  jkt: string;
  jti: string;
  iat: Seconds;
  nonce?: string;
  replayKey: string;
  forgetAt: Seconds;
};

/** A proof judged: what it proves, or why it proves nothing. `isUntimely`: all that was judged holds but its `iat`; with a fresh nonce it would hold. */
export type DpopVerdict = { ok: true; proof: DpopProof } | { ok: false; reason: string; isUntimely?: true };

/**
 * Judges one DPoP proof: the twelve checks of RFC 9449 section 4.3, except nonce freshness and replay, which need memory.
 * Never throws for what a client sent.
 */
export async function verifyDpopProof(proof: string, expected: DpopExpectation): Promise<DpopVerdict> {
  if (proof.length > 8192) return refuse('the proof is longer than 8192 characters');
  const decoded = decodeJwt(proof);
  if (!decoded) return refuse('the proof is not a compact JWS');
  const { jwk } = decoded.header;
  if (typeof jwk !== 'object' || jwk === null) return refuse('the header has no jwk');
  if ('d' in jwk || 'k' in jwk || 'p' in jwk) return refuse('the header jwk is not a public key');
  try {
    await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...dpopAlgorithms],
      clockTolerance: Number.MAX_SAFE_INTEGER,
      currentDate: new Date(expected.now * 1000),
    });
  } catch {
    return refuse('typ, alg or signature is wrong');
  }
  const { payload } = decoded;
  const { jti, iat, htm, htu, ath, nonce } = payload;
  if (typeof jti !== 'string' || jti === '' || jti.length > 256) return refuse('jti is missing or too long');
  if (typeof iat !== 'number') return refuse('iat is missing');
  if (htm !== expected.method) return refuse('htm is not the method of this request');
  if (typeof htu !== 'string' || !sameUrl(htu, expected.url)) return refuse('htu is not the URL of this request');
  const proofLifetime = expected.proofLifetime ?? 60;
  const skew = expected.skew ?? 5;
  if (nonce !== undefined && typeof nonce !== 'string') return refuse('nonce is not a string');
  const nonces = nonce !== undefined && expected.nonces?.isFresh(nonce) ? expected.nonces : undefined;
  const untimely = whyUntimely(iat, expected.now, proofLifetime, skew);
  if (expected.accessToken !== undefined && ath !== (await accessTokenHash(expected.accessToken)))
    return refuse('ath is not the hash of the access token');
  if (untimely !== undefined && !nonces) return { ok: false, reason: untimely, isUntimely: true };
  const jkt = await jwkThumbprint(jwk as JWK);
  const replayKey = await sha256(`${jkt}\n${jti}\n${normalizeUrl(expected.url)}`);
  // Remembered for as long as either its time or its nonce could let it in again.
  const forgetAt = Math.max(
    untimely === undefined ? Math.ceil(iat) + proofLifetime + 2 * skew : 0,
    nonces ? expected.now + nonces.lifetime : 0,
  );
  return { ok: true, proof: { jkt, jti, iat, replayKey, forgetAt, ...(nonce === undefined ? {} : { nonce }) } };
}

function whyUntimely(iat: Seconds, now: Seconds, proofLifetime: Seconds, skew: Seconds): string | undefined {
  if (iat > now + skew) return 'iat lies in the future';
  return iat < now - proofLifetime - skew ? 'iat lies too far in the past' : undefined;
}

/** The `ath` of an access token: base64url of its SHA-256. Source: RFC 9449 section 4.2. */
export function accessTokenHash(accessToken: string): Promise<string> {
  return sha256(accessToken);
}

async function sha256(text: string): Promise<string> {
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

function sameUrl(a: string, b: string): boolean {
  const left = normalizeUrl(a);
  return left !== undefined && left === normalizeUrl(b);
}

/** Scheme, authority and path, normalized as RFC 3986 sections 6.2.2 and 6.2.3 say; query and fragment dropped. */
function normalizeUrl(text: string): string | undefined {
  try {
    const url = new URL(text);
    return `${url.protocol}//${url.host}${url.pathname.replace(/%[0-9a-f]{2}/gi, normalizeEscape)}`;
  } catch {
    return undefined;
  }
}

/** RFC 3986 section 6.2.2: an escape is written in upper case, and not at all for a character that needs none. */
function normalizeEscape(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : escaped.toUpperCase();
}

function refuse(reason: string): DpopVerdict {
  return { ok: false, reason };
}
