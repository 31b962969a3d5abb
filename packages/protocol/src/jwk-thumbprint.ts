import { calculateJwkThumbprint, type JWK } from 'jose';

/** The SHA-256 thumbprint of a public key, base64url: `jkt` in `cnf`. Source: RFC 7638, RFC 9449 section 6.1. */
export function jwkThumbprint(jwk: JWK): Promise<string> {
  return calculateJwkThumbprint(jwk, 'sha256');
}
