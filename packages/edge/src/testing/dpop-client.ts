import { accessTokenHash } from '@tessera/protocol';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** A client with a DPoP key, for tests. */
export class DpopClient {
  readonly jkt: string;
  readonly #privateKey: CryptoKey;
  readonly #jwk: JWK;

  constructor(privateKey: CryptoKey, jwk: JWK, jkt: string) {
    this.#privateKey = privateKey;
    this.#jwk = jwk;
    this.jkt = jkt;
  }

  static async create(): Promise<DpopClient> {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(pair.publicKey);
    return new DpopClient(pair.privateKey, jwk, await calculateJwkThumbprint(jwk));
  }

  /** A proof for one request; `changes` replace claims. */
  async proof(
    request: { method: string; url: string; accessToken: string; now: number },
    changes: Record<string, unknown> = {},
  ): Promise<string> {
    const claims = {
      jti: crypto.randomUUID(),
      iat: request.now,
      htm: request.method,
      htu: request.url,
      ath: await accessTokenHash(request.accessToken),
      ...changes,
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: this.#jwk })
      .sign(this.#privateKey);
  }
}
