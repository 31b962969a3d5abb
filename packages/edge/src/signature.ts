import {
  createHmac,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  timingSafeEqual,
  verify as verifyWithKey,
} from 'node:crypto';

/** The asymmetric algorithms the edge verifies; each belongs to one type of key and to no other. Source: RFC 7518 section 3.1, RFC 8037 section 3.1. */
export type SignatureAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

/** A public key of the issuer, made once from its JWK. `number` tells keys apart within this process, also two that share a `kid`. */
export type VerificationKey = {
  kid: string;
  alg: SignatureAlgorithm;
  key: KeyObject;
  thumbprint: string;
  number: number;
};

/** True for the `alg` of a header that the edge verifies with a public key. */
export function isSignatureAlgorithm(alg: string): alg is SignatureAlgorithm {
  return alg === 'ES256' || alg === 'RS256' || alg === 'EdDSA';
}

/**
 * The key behind one entry of a JWKS, or undefined for one that signs nothing here: without `kid`, for encryption, symmetric, of another curve, an RSA
 * key under 2048 bits. The algorithm follows from the type of the key, never from a token, so keys cannot be confused. Source: RFC 7517, RFC 8725 section 3.1.
 */
export function importVerificationKey(jwk: unknown): Omit<VerificationKey, 'number'> | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const {
    kid,
    use,
    alg: named,
    key_ops: operations,
    kty,
    crv,
    n,
    e,
    x,
    y,
  } = jwk as JsonWebKey & Record<string, unknown>;
  if (typeof kid !== 'string' || kid === '' || (use !== undefined && use !== 'sig')) return undefined;
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined;
  const alg = algorithmOf(kty, crv);
  if (alg === undefined || (named !== undefined && named !== alg)) return undefined;
  try {
    // Only the public members: a JWKS that leaks a private key must not make this process hold it.
    const key = createPublicKey({ key: { kty, crv, n, e, x, y } as JsonWebKey, format: 'jwk' });
    if (alg === 'RS256' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) return undefined;
    return { kid, alg, key, thumbprint: [alg, n, e, x, y].join(' ') };
  } catch {
    return undefined;
  }
}

function algorithmOf(kty: unknown, crv: unknown): SignatureAlgorithm | undefined {
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'RSA') return 'RS256';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  return undefined;
}

/** The part of a compact JWS that is signed: everything before the last dot. Source: RFC 7515 section 5.2. */
export function signingInputOf(token: string): Buffer {
  return Buffer.from(token.slice(0, token.lastIndexOf('.')), 'latin1');
}

/** Whether `signature` is the key's over the token. Synchronous: at this size the thread pool costs more than it gives. Source: RFC 7515 section 5.2. */
export function verifySignature(key: VerificationKey, token: string, signature: Uint8Array): boolean {
  const input = signingInputOf(token);
  switch (key.alg) {
    case 'ES256':
      return signature.length === 64 && verifyWithKey('sha256', input, key.key, encodeEcdsaSignature(signature));
    case 'RS256':
      return verifyWithKey('sha256', input, key.key, signature);
    case 'EdDSA':
      return signature.length === 64 && verifyWithKey(null, input, key.key, signature);
  }
}

/** Whether `signature` is the HMAC of the token under a secret that issuer and API share. Source: RFC 7518 section 3.2. */
export function verifyHmac(secret: Uint8Array, token: string, signature: Uint8Array): boolean {
  const expected = createHmac('sha256', secret).update(signingInputOf(token)).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

/**
 * The DER form of an ECDSA signature given as r and s side by side. Converted here because asking OpenSSL for it with each call costs half as much
 * again as the verification itself. Source: RFC 7518 section 3.4, RFC 3279 section 2.2.3.
 */
export function encodeEcdsaSignature(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const r = encodeInteger(signature.subarray(0, half));
  const s = encodeInteger(signature.subarray(half));
  return Uint8Array.of(0x30, r.length + s.length, ...r, ...s);
}

function encodeInteger(bytes: Uint8Array): number[] {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  const value = (digits[0] as number) >= 0x80 ? [0, ...digits] : [...digits];
  return [0x02, value.length, ...value];
}
