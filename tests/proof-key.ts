import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { TestServer } from './test-server.ts';

/** What is different about one proof. `claims` and `header` replace; undefined removes. */
export type ProofOptions = {
  method?: string;
  url?: string;
  nonce?: string;
  accessToken?: string;
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
};

/** A client's DPoP key: makes proofs for one test server, by the server's clock. Source: RFC 9449 section 4.2. */
export class ProofKey {
  readonly jkt: string;
  readonly jwk: JWK;
  readonly #privateKey: CryptoKey;
  readonly #test: TestServer;

  private constructor(test: TestServer, jwk: JWK, privateKey: CryptoKey, jkt: string) {
    this.#test = test;
    this.jwk = jwk;
    this.#privateKey = privateKey;
    this.jkt = jkt;
  }

  static async make(test: TestServer): Promise<ProofKey> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    return new ProofKey(test, jwk, privateKey, await calculateJwkThumbprint(jwk));
  }

  /** The private half, for proofs that give it away. */
  privateJwk(): Promise<JWK> {
    return exportJWK(this.#privateKey);
  }

  /** One proof; without options for a token request. */
  async proof(options: ProofOptions = {}): Promise<string> {
    const {
      method = 'POST',
      url = `${this.#test.issuer}/token`,
      nonce,
      accessToken,
      claims = {},
      header = {},
    } = options;
    const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url');
    const payload = {
      jti: randomUUID(),
      htm: method,
      htu: url,
      iat: this.#test.now(),
      ...(nonce !== undefined && { nonce }),
      ...(ath !== undefined && { ath }),
      ...claims,
    };
    return new SignJWT(JSON.parse(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: this.jwk, ...header } as never)
      .sign(this.#privateKey);
  }

  /** The headers of a request with a fresh proof. */
  async headers(options: ProofOptions = {}): Promise<{ dpop: string }> {
    return { dpop: await this.proof(options) };
  }
}
