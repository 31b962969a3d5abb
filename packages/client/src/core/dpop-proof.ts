import { encodeBase64url } from './base64url.ts';
import { TesseraClientError } from './errors.ts';
import type { Seconds } from './seconds.ts';

/** What a proof speaks for. */
export type DpopProofInput = {
  key: CryptoKeyPair;
  /** The request's method; `htm`. */
  method: string;
  /** The request's address; query and fragment stay out of `htu`. */
  url: URL;
  /** Present when an API is called: its digest becomes `ath`. */
  accessToken?: string | undefined;
  /** The latest nonce of that origin, if it has given one. */
  nonce?: string | undefined;
  now: Seconds;
  /** 16 or more unpredictable bytes; `jti`. */
  random: Uint8Array;
};

/**
 * Makes the key pair tokens are bound to: ES256, and the private half can be used but never read by script, so that a stolen token is of no use elsewhere.
 * Throws `unsupported_environment` without WebCrypto (a page that is not a secure context).
 */
export async function createDpopKey(): Promise<CryptoKeyPair> {
  return subtleCrypto().generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
}

/** Signs one DPoP proof, good for one request. Source: RFC 9449 section 4.2. */
export async function createDpopProof(input: DpopProofInput): Promise<string> {
  const { kty, crv, x, y } = await subtleCrypto().exportKey('jwk', input.key.publicKey);
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } };
  const claims = {
    jti: encodeBase64url(input.random),
    htm: input.method.toUpperCase(),
    htu: `${input.url.origin}${input.url.pathname}`,
    iat: input.now,
    ...(input.accessToken === undefined ? {} : { ath: encodeBase64url(await sha256(input.accessToken)) }),
    ...(input.nonce === undefined ? {} : { nonce: input.nonce }),
  };
  const signed = `${encodeJson(header)}.${encodeJson(claims)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await subtleCrypto().sign(algorithm, input.key.privateKey, new TextEncoder().encode(signed));
  return `${signed}.${encodeBase64url(new Uint8Array(signature))}`;
}

/** The SHA-256 digest of a text. */
export async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await subtleCrypto().digest('SHA-256', new TextEncoder().encode(text)));
}

function encodeJson(value: object): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));
}

function subtleCrypto(): SubtleCrypto {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle !== undefined) return subtle;
  throw new TesseraClientError(
    'unsupported_environment',
    'WebCrypto is missing; serve the page over https or from localhost, or use Node 20 or later',
  );
}
