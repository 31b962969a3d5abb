import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { calculateJwkThumbprint, EmbeddedJWK, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';

/** What the server is told to do wrong, once per entry, at the next token request of that grant. */
export type Failure =
  | 'lost_before'
  | 'lost_after'
  | 'cut_body'
  | 503
  | 429
  | 500
  | 'invalid_grant'
  | 'invalid_client'
  | 'html'
  | 'bearer';

/** One refresh token family. */
type Grant = {
  id: string;
  generation: number;
  rotatedAt: number;
  ended: boolean;
  jkt: string | undefined;
  nonce: string | undefined;
};

type AccessToken = { grant: Grant; expiresAt: number; jkt: string | undefined };
type Code = { redirect_uri: string; challenge: string; nonce: string | undefined; used: boolean };

/** A request as it was seen, for tests to look at. */
export type SeenRequest = {
  path: string;
  method: string;
  grant_type: string | undefined;
  query: URLSearchParams;
  body: URLSearchParams;
  headers: IncomingMessage['headers'];
};

/**
 * A small authorization server with one API, for the tests of this package: code flow with PKCE, DPoP with nonces, rotation with a retry window,
 * and failures on demand. It approves every authorization request at once, as the user `alice`. Everything tests may turn is a field.
 */
export class TestAuthorizationServer {
  now: () => number = () => Math.floor(Date.now() / 1000);
  accessTokenLifetime = 900;
  retryWindow = 30;
  /** Nonces the token endpoint and the API demand, if set. */
  tokenNonce: string | undefined;
  apiNonce: string | undefined;
  /** A proof that is not of now is refused for it, or, as Tessera has it, good with a nonce. */
  untimelyProofs: 'refused' | 'good-with-nonce' = 'refused';
  /** The API changes its nonce with every answer. */
  rotatesApiNonce = false;
  retryAfter: string | undefined;
  revocationFailures: ('lost' | 503)[] = [];
  failures: Failure[] = [];
  /** Whether each refresh brings an ID token, and about whom. */
  refreshesIdToken = true;
  subject = 'alice';
  /** Claims put over those of the next ID tokens. */
  idTokenClaims: Record<string, unknown> = {};
  /** Parameters put over those of the next authorization responses; `undefined` takes one out. */
  responseParameters: Record<string, string | undefined> = {};
  metadata: Record<string, unknown> = {};
  /** Answers of the API put before its own. */
  apiAnswers: { status: number; challenge?: string; nonce?: string }[] = [];
  /** The HTML document served at every other path. */
  page: { html: string; scripts: Record<string, string> } = { html: '', scripts: {} };
  /** How long the token endpoint thinks before it answers. */
  tokenDelayMs = 0;
  #held: Promise<void> | undefined;

  readonly requests: SeenRequest[] = [];
  readonly grants = new Map<string, Grant>();
  readonly accessTokens = new Map<string, AccessToken>();
  readonly #codes = new Map<string, Code>();
  readonly #seenProofs = new Set<string>();
  readonly #server: Server;
  readonly #keys: Awaited<ReturnType<typeof makeKeys>>;
  #signingKey: CryptoKey;

  private constructor(keys: Awaited<ReturnType<typeof makeKeys>>) {
    this.#keys = keys;
    this.#signingKey = keys.privateKey;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  static async start(): Promise<TestAuthorizationServer> {
    const server = new TestAuthorizationServer(await makeKeys());
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many requests came to a path; for `/token`, of a grant type. */
  count(path: string, grant_type?: string): number {
    return this.requests.filter(
      (seen) => seen.path === path && (grant_type === undefined || seen.grant_type === grant_type),
    ).length;
  }

  last(path: string): SeenRequest | undefined {
    return this.requests.findLast((seen) => seen.path === path);
  }

  /** Lets the next request to the token endpoint wait until `release` is called. `isAsked` resolves once it is there. */
  holdToken(): { isAsked(): Promise<void>; release(): void } {
    const before = this.count('/token');
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return {
      isAsked: async () => {
        while (this.count('/token') === before) await new Promise((next) => setTimeout(next, 5));
      },
      release: resolve,
    };
  }

  /** Signs with a key that is not in the key set, under the same `kid`. */
  useStrangersKey(): void {
    this.#signingKey = this.#keys.strangersKey;
  }

  endAllGrants(): void {
    for (const grant of this.grants.values()) grant.ended = true;
  }

  expireAccessTokens(): void {
    for (const token of this.accessTokens.values()) token.expiresAt = 0;
  }

  /** Plays the user agent of an authorization request: the address the user comes back to. */
  async approve(authorizationUrl: string | URL): Promise<URL> {
    const response = await fetch(authorizationUrl, { redirect: 'manual' });
    return new URL(response.headers.get('location') ?? '');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.origin);
    const text = await readBody(request);
    const body = new URLSearchParams(text);
    const path = url.pathname;
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'Date, DPoP-Nonce, WWW-Authenticate, Retry-After');
    response.setHeader('date', new Date(this.now() * 1000).toUTCString());
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-headers', 'authorization, dpop, content-type');
      response.setHeader('access-control-allow-methods', 'GET, POST, PUT');
      return void response.writeHead(204).end();
    }
    this.requests.push({
      path,
      method: request.method ?? '',
      grant_type: body.get('grant_type') ?? undefined,
      query: url.searchParams,
      body,
      headers: request.headers,
    });
    if (path === '/.well-known/openid-configuration') return json(response, 200, this.#metadata());
    if (path === '/jwks') return json(response, 200, { keys: [this.#keys.publicJwk] });
    if (path === '/authorize') return this.#authorize(url, response);
    if (path === '/token') return this.#token(request, body, response);
    if (path === '/revoke') return this.#revoke(body, response);
    if (path === '/end-session') return this.#endSession(url, response);
    if (path === '/api') return this.#api(request, text, response);
    const script = this.page.scripts[path];
    if (script !== undefined) return void response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
    response.writeHead(200, { 'content-type': 'text/html' }).end(this.page.html);
  }

  #metadata(): Record<string, unknown> {
    const at = (path: string) => `${this.origin}${path}`;
    return {
      issuer: this.origin,
      authorization_endpoint: at('/authorize'),
      token_endpoint: at('/token'),
      jwks_uri: at('/jwks'),
      revocation_endpoint: at('/revoke'),
      end_session_endpoint: at('/end-session'),
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      id_token_signing_alg_values_supported: ['ES256'],
      ...this.metadata,
    };
  }

  #authorize(url: URL, response: ServerResponse): void {
    const query = url.searchParams;
    const code = randomUUID();
    const redirect_uri = query.get('redirect_uri') ?? '';
    this.#codes.set(code, {
      redirect_uri,
      challenge: query.get('code_challenge') ?? '',
      nonce: query.get('nonce') ?? undefined,
      used: false,
    });
    const back = new URL(redirect_uri);
    const parameters = { code, state: query.get('state') ?? '', iss: this.origin, ...this.responseParameters };
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) back.searchParams.set(name, value);
    response.writeHead(302, { location: back.href }).end();
  }

  #endSession(url: URL, response: ServerResponse): void {
    const back = new URL(url.searchParams.get('post_logout_redirect_uri') ?? this.origin);
    const state = url.searchParams.get('state');
    if (state !== null) back.searchParams.set('state', state);
    response.writeHead(302, { location: back.href }).end();
  }

  async #token(request: IncomingMessage, body: URLSearchParams, response: ServerResponse): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await held;
    if (this.tokenDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.tokenDelayMs));
    const failure = this.failures.shift();
    if (failure === 'lost_before') return void request.socket.destroy();
    if (failure === 'html')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hotel Wi-Fi</h1>');
    if (failure === 'invalid_grant' || failure === 'invalid_client') return json(response, 400, { error: failure });
    if (typeof failure === 'number') {
      if (this.retryAfter !== undefined) response.setHeader('retry-after', this.retryAfter);
      return void response.writeHead(failure).end();
    }
    const proof = await this.#proof(request, '/token', this.tokenNonce);
    if (proof.error !== undefined) {
      if (this.tokenNonce !== undefined) response.setHeader('dpop-nonce', this.tokenNonce);
      return json(response, 400, { error: proof.error });
    }
    const grant =
      body.get('grant_type') === 'refresh_token' ? this.#rotate(body, proof.jkt) : this.#redeem(body, proof.jkt);
    if (grant === undefined) return json(response, 400, { error: 'invalid_grant', error_description: 'no such thing' });
    const tokens = await this.#issue(
      grant,
      failure === 'bearer' ? undefined : proof.jkt,
      body.get('grant_type') === 'refresh_token',
    );
    if (failure === 'lost_after') return void request.socket.destroy();
    if (failure === 'cut_body') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' });
      response.write(JSON.stringify(tokens).slice(0, 40), () => request.socket.destroy());
      return;
    }
    json(response, 200, tokens);
  }

  #redeem(body: URLSearchParams, jkt: string | undefined): Grant | undefined {
    const code = this.#codes.get(body.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (
      code === undefined ||
      code.used ||
      code.challenge !== challenge ||
      code.redirect_uri !== body.get('redirect_uri')
    )
      return undefined;
    code.used = true;
    const grant: Grant = { id: randomUUID(), generation: 0, rotatedAt: 0, ended: false, jkt, nonce: code.nonce };
    this.grants.set(grant.id, grant);
    return grant;
  }

  /** The server's own table in short: rotate the current generation, replay the one before inside the window, else it was stolen. */
  #rotate(body: URLSearchParams, jkt: string | undefined): Grant | undefined {
    const [, id, generation] = (body.get('refresh_token') ?? '').split('~');
    const grant = this.grants.get(id ?? '');
    if (grant === undefined || grant.ended || grant.jkt !== jkt) return undefined;
    if (Number(generation) === grant.generation) {
      grant.generation++;
      grant.rotatedAt = this.now();
      return grant;
    }
    if (Number(generation) === grant.generation - 1 && this.now() - grant.rotatedAt <= this.retryWindow) return grant;
    grant.ended = true;
    return undefined;
  }

  async #issue(grant: Grant, jkt: string | undefined, isRefresh: boolean): Promise<Record<string, unknown>> {
    const now = this.now();
    const sign = (claims: Record<string, unknown>) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'test' }).sign(this.#signingKey);
    const access_token = await sign({
      iss: this.origin,
      sub: 'alice',
      jti: randomUUID(),
      exp: now + this.accessTokenLifetime,
    });
    this.accessTokens.set(access_token, { grant, jkt, expiresAt: now + this.accessTokenLifetime });
    const idToken = {
      iss: this.origin,
      aud: 'web',
      sub: this.subject,
      iat: now,
      exp: now + 300,
      auth_time: 1000,
      name: 'Alice',
    };
    const nonce = isRefresh ? undefined : grant.nonce;
    const wantsIdToken = isRefresh ? this.refreshesIdToken : grant.nonce !== undefined;
    return {
      access_token,
      token_type: jkt === undefined ? 'Bearer' : 'DPoP',
      expires_in: this.accessTokenLifetime,
      scope: 'openid',
      refresh_token: `rt~${grant.id}~${grant.generation}`,
      ...(wantsIdToken ? { id_token: await sign({ ...idToken, nonce, ...this.idTokenClaims }) } : {}),
    };
  }

  #revoke(body: URLSearchParams, response: ServerResponse): void {
    const failure = this.revocationFailures.shift();
    if (failure === 'lost') return void response.socket?.destroy();
    if (failure === 503) return void response.writeHead(503).end();
    const token = body.get('token') ?? '';
    const grant = this.grants.get(token.split('~')[1] ?? '') ?? this.accessTokens.get(token)?.grant;
    if (grant !== undefined) grant.ended = true;
    response.writeHead(200).end();
  }

  async #api(request: IncomingMessage, text: string, response: ServerResponse): Promise<void> {
    if (this.rotatesApiNonce) this.apiNonce = randomUUID();
    const forced = this.apiAnswers.shift();
    if (forced !== undefined) {
      if (forced.challenge !== undefined) response.setHeader('www-authenticate', forced.challenge);
      if (forced.nonce !== undefined) response.setHeader('dpop-nonce', forced.nonce);
      return void response.writeHead(forced.status).end();
    }
    const [scheme, credential = ''] = (request.headers.authorization ?? '').split(' ');
    const token = this.accessTokens.get(credential);
    const proof = await this.#proof(request, '/api', this.apiNonce, credential);
    const refuse = (error: string) => {
      if (this.apiNonce !== undefined) response.setHeader('dpop-nonce', this.apiNonce);
      response.setHeader('www-authenticate', `${token?.jkt === undefined ? 'Bearer' : 'DPoP'} error="${error}"`);
      response.writeHead(401).end();
    };
    if (token === undefined || token.grant.ended || token.expiresAt <= this.now()) return refuse('invalid_token');
    if (proof.error !== undefined) return refuse(proof.error);
    if (token.jkt !== proof.jkt || scheme !== (token.jkt === undefined ? 'Bearer' : 'DPoP'))
      return refuse('invalid_token');
    json(response, 200, { sub: 'alice', method: request.method, body: text });
  }

  async #proof(
    request: IncomingMessage,
    path: string,
    nonce: string | undefined,
    accessToken?: string,
  ): Promise<{ jkt: string | undefined; error?: string }> {
    const header = request.headers.dpop;
    if (header === undefined) return { jkt: undefined };
    const invalid = { jkt: undefined, error: 'invalid_dpop_proof' };
    if (typeof header !== 'string') return invalid;
    const verified = await jwtVerify(header, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'] }).catch(
      () => undefined,
    );
    if (verified === undefined) return invalid;
    const { payload, protectedHeader } = verified;
    const ath = accessToken === undefined ? undefined : createHash('sha256').update(accessToken).digest('base64url');
    const isTimely = (payload.iat ?? 0) <= this.now() + 5 && (payload.iat ?? 0) >= this.now() - 65;
    const isRight =
      payload.htm === request.method &&
      payload.htu === `${this.origin}${path}` &&
      payload.ath === ath &&
      (isTimely || this.untimelyProofs === 'good-with-nonce');
    const jti = String(payload.jti);
    if (!isRight || this.#seenProofs.has(jti) || 'd' in (protectedHeader.jwk ?? {})) return invalid;
    this.#seenProofs.add(jti);
    if (nonce !== undefined && payload.nonce !== nonce) return { jkt: undefined, error: 'use_dpop_nonce' };
    return { jkt: await calculateJwkThumbprint(protectedHeader.jwk ?? { kty: 'EC' }) };
  }
}

async function makeKeys() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const strangersKey = (await generateKeyPair('ES256')).privateKey;
  return {
    privateKey,
    strangersKey,
    publicJwk: { ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256', use: 'sig' },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
