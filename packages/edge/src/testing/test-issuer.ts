import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { feedMarkType, type PollRequest, type Revocation, securityEventOf, securityEventType } from '@tessera/protocol';
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';

/** A key of the test issuer. `isPublished`: it stands in the JWKS. */
export type TestKey = { kid: string; alg: string; privateKey: CryptoKey; publicJwk: JWK; isPublished: boolean };

/** How an endpoint misbehaves: `down` cuts the connection, `error` answers 500, `hang` never answers, `garbage` answers something else. */
export type Fault = 'down' | 'error' | 'hang' | 'garbage';

type Entry = { position: number; revocation?: Revocation; set?: string };
type Waiter = { wake: () => void };

/** An issuer for tests: metadata, JWKS, introspection and the revocation feed with long polling, on any number of nodes, breaking on command. */
export class TestIssuer {
  readonly faults: { metadata?: Fault; jwks?: Fault; introspection?: Fault; feed?: Fault } = {};
  readonly counts = { metadata: 0, jwks: 0, introspection: 0, polls: 0 };
  readonly polls: (PollRequest & { node: number; prefer: string | undefined; authorization: string | undefined })[] =
    [];
  readonly keys: TestKey[] = [];
  readonly nodes: { server: Server; url: string }[] = [];
  clientId = 'orders-api';
  clientSecret = 'a secret: of 100% randomness +';
  audience = 'https://api.example.com';
  jwksCacheControl: string | undefined;
  storeEpoch = 'e1';
  pageSize = 1000;
  /** Added to every mark's as_of_ms. */
  asOfShiftMs = 0;
  extraMetadata: Record<string, unknown> = {};
  /** Called on the claims and header of each SET before it is signed. */
  distortSet: ((set: { header: Record<string, unknown>; claims: Record<string, unknown> }) => void) | undefined;
  #signing: TestKey | undefined;
  #setSigning: TestKey | undefined;
  readonly #entries: Entry[] = [];
  readonly #waiters = new Set<Waiter>();
  #opaque = new Map<string, Record<string, unknown>>();
  #lastId = 0;
  #changes = 0;
  readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  static async start(options: { now?: () => number; alg?: string } = {}): Promise<TestIssuer> {
    const issuer = new TestIssuer(options.now ?? (() => Math.floor(Date.now() / 1000)));
    await issuer.addNode();
    await issuer.addKey('k1', options.alg);
    return issuer;
  }

  get url(): string {
    return (this.nodes[0] as { url: string }).url;
  }

  get feedUrls(): string[] {
    return this.nodes.map((node) => `${node.url}/events/poll`);
  }

  get signingKey(): TestKey {
    return this.#signing as TestKey;
  }

  /** The claims of a good token, changed as given. */
  claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
    const now = this.now();
    return {
      iss: this.url,
      sub: 'user-1',
      aud: this.audience,
      client_id: 'web',
      jti: `jti-${++this.#lastId}`,
      iat: now,
      nbf: now,
      exp: now + 900,
      scope: 'orders:read',
      sid: 'sid-1',
      grant_id: 'grant-1',
      ...changes,
    };
  }

  accessToken(
    changes: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    key: TestKey = this.signingKey,
  ): Promise<string> {
    return new SignJWT(this.claims(changes))
      .setProtectedHeader({ alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header })
      .sign(key.privateKey, { crit: { 'x-later': true } });
  }

  /** An opaque token that introspection knows. */
  opaqueToken(changes: Record<string, unknown> = {}): string {
    const token = `opaque-${++this.#lastId}`;
    this.#opaque.set(token, this.claims(changes));
    return token;
  }

  /** Adds a key, publishes it unless told otherwise, and signs with it from now on. */
  async addKey(kid: string, alg = 'ES256', isPublished = true): Promise<TestKey> {
    const pair = await generateKeyPair(alg, { extractable: true });
    const publicJwk = { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' };
    const key = { kid, alg, privateKey: pair.privateKey, publicJwk, isPublished };
    this.keys.push(key);
    this.#signing = key;
    return key;
  }

  /** Signs the feed with another key than the tokens. */
  signFeedWith(key: TestKey | undefined): void {
    this.#setSigning = key;
  }

  /** Ends something; waiting polls are answered at once. */
  revoke(revocation: Revocation): void {
    this.#append({ position: this.#entries.length + 1, revocation });
  }

  endSession(sid: string): void {
    this.revoke({ kind: 'session', sid, iss: this.url, sub: 'user-1', until: this.now() + 3600 });
  }

  /** Puts a SET into the feed as it is. */
  appendSet(set: string): void {
    this.#append({ position: this.#entries.length + 1, set });
  }

  /** Takes entries out of the feed, as if they had lapsed. */
  forgetEntries(): void {
    this.#entries.length = 0;
  }

  /** Answers all waiting polls, with what there is. */
  wakePolls(): void {
    this.#changes++;
    for (const waiter of this.#waiters) waiter.wake();
  }

  async addNode(): Promise<number> {
    const index = this.nodes.length;
    const server = createServer((request, response) => {
      this.#answer(request, response, index).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.nodes.push({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    return index;
  }

  /** The node dies: connections break, new ones are refused. */
  async stopNode(index: number): Promise<void> {
    const server = this.nodes[index]?.server;
    if (!server?.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async close(): Promise<void> {
    this.wakePolls();
    for (const index of this.nodes.keys()) await this.stopNode(index);
  }

  #append(entry: Entry): void {
    this.#entries.push(entry);
    this.wakePolls();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, node: number): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://issuer');
    const body = await readBody(request);
    switch (pathname) {
      case '/.well-known/openid-configuration':
        this.counts.metadata++;
        return this.#send(response, this.faults.metadata, this.#metadata());
      case '/jwks':
        this.counts.jwks++;
        if (this.jwksCacheControl) response.setHeader('cache-control', this.jwksCacheControl);
        return this.#send(response, this.faults.jwks, {
          keys: this.keys.filter((key) => key.isPublished).map((key) => key.publicJwk),
        });
      case '/introspect':
        this.counts.introspection++;
        if (!this.#isAuthenticated(request)) return this.#fail(response, 401);
        return this.#send(
          response,
          this.faults.introspection,
          await this.introspect(new URLSearchParams(body).get('token') ?? ''),
        );
      case '/events/poll':
        this.counts.polls++;
        return this.#poll(request, response, JSON.parse(body || '{}') as PollRequest, node);
      default:
        return this.#fail(response, 404);
    }
  }

  #metadata(): Record<string, unknown> {
    return {
      issuer: this.url,
      jwks_uri: `${this.url}/jwks`,
      introspection_endpoint: `${this.url}/introspect`,
      tessera_revocation_feed_endpoint: `${this.url}/events/poll`,
      ...this.extraMetadata,
    };
  }

  /** What introspection says of a token, as a strict server would. */
  async introspect(token: string): Promise<Record<string, unknown>> {
    try {
      const opaque = this.#opaque.get(token);
      const claims = opaque ?? (await this.#verify(token));
      const { exp, nbf } = claims as { exp: number; nbf: number };
      if (claims.iss !== this.url || exp <= this.now() || nbf > this.now() + 5) return { active: false };
      if (this.#entries.some(({ revocation }) => revocation?.kind === 'session' && revocation.sid === claims.sid))
        return { active: false };
      return { active: true, token_type: 'Bearer', ...claims };
    } catch {
      return { active: false };
    }
  }

  async #verify(token: string): Promise<Record<string, unknown>> {
    const { kid } = decodeProtectedHeader(token);
    const key = this.keys.find((one) => one.kid === kid && one.isPublished);
    if (!key) throw new Error('unknown key');
    const currentDate = new Date(this.now() * 1000);
    await jwtVerify(token, await importJWK(key.publicJwk, key.alg), {
      typ: 'at+jwt',
      algorithms: [key.alg],
      currentDate,
      clockTolerance: 5,
    });
    return decodeJwt(token);
  }

  async #poll(request: IncomingMessage, response: ServerResponse, poll: PollRequest, node: number): Promise<void> {
    const { prefer, authorization } = request.headers;
    this.polls.push({ ...poll, node, prefer: prefer as string | undefined, authorization });
    if (!this.#isAuthenticated(request)) return this.#fail(response, 401);
    if (this.faults.feed) return this.#send(response, this.faults.feed, {});
    const waitSeconds = Number(/wait=(\d+)/.exec(String(prefer))?.[1] ?? 30);
    const seen = this.#changes;
    let answer = await this.#pollAnswer(poll);
    if (!poll.returnImmediately && Object.keys(answer.sets).length === 0) {
      // What happened while the answer was signed must not be slept through.
      if (this.#changes === seen) await this.#wait(waitSeconds * 1000, response);
      answer = await this.#pollAnswer(poll);
    }
    return this.#send(response, this.faults.feed, answer);
  }

  async #wait(durationMs: number, response: ServerResponse): Promise<void> {
    await new Promise<void>((resolve) => {
      const waiter = {
        wake: () => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve();
        },
      };
      const timer = setTimeout(() => waiter.wake(), durationMs);
      timer.unref();
      this.#waiters.add(waiter);
      response.once('close', () => waiter.wake());
    });
  }

  async #pollAnswer(
    poll: PollRequest,
  ): Promise<{ sets: Record<string, string>; mark: string; moreAvailable?: boolean; resync?: boolean }> {
    const cursor = Math.max(-1, ...(poll.ack ?? []).map((jti) => this.#positionOf(jti)));
    const from = Math.max(0, cursor);
    const page = this.#entries
      .filter((entry) => entry.position > from)
      .slice(0, Math.min(this.pageSize, poll.maxEvents ?? 1000));
    const reached = page.at(-1)?.position ?? Math.max(from, this.#entries.at(-1)?.position ?? 0);
    const sets: Record<string, string> = {};
    for (const entry of page) sets[`${this.storeEpoch}.${entry.position}`] = entry.set ?? (await this.#signSet(entry));
    const moreAvailable = this.#entries.some((entry) => entry.position > reached);
    return {
      sets,
      mark: await this.signMark({ jti: `${this.storeEpoch}.${reached}` }),
      ...(moreAvailable ? { moreAvailable } : {}),
      ...(cursor === -1 ? { resync: true } : {}),
    };
  }

  #positionOf(jti: string): number {
    const [epoch, position] = jti.split('.');
    return epoch === this.storeEpoch ? Number(position) : -1;
  }

  async #signSet({ revocation, position }: Entry): Promise<string> {
    const claims = {
      iss: this.url,
      jti: `${this.storeEpoch}.${position}`,
      iat: this.now(),
      ...securityEventOf(revocation as Revocation, this.now()),
    };
    const header: Record<string, unknown> = {};
    this.distortSet?.({ header, claims });
    return this.sign(claims, { typ: securityEventType, ...header });
  }

  signMark(changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    const now = this.now();
    const claims = { iss: this.url, iat: now, as_of_ms: now * 1000 + this.asOfShiftMs, ...changes };
    return this.sign(claims, { typ: feedMarkType, ...header });
  }

  sign(claims: Record<string, unknown>, header: Record<string, unknown>): Promise<string> {
    const key = this.#setSigning ?? this.signingKey;
    return new SignJWT(claims)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
      .sign(key.privateKey, { crit: { 'x-later': true } });
  }

  #isAuthenticated(request: IncomingMessage): boolean {
    const { authorization } = request.headers;
    if (authorization === 'Bearer introspection-token') return true;
    const [id, secret] = Buffer.from(authorization?.split(' ')[1] ?? '', 'base64')
      .toString()
      .split(':');
    const decode = (text = '') => decodeURIComponent(text.replaceAll('+', ' '));
    return decode(id) === this.clientId && decode(secret) === this.clientSecret;
  }

  #send(response: ServerResponse, fault: Fault | undefined, body: unknown): void {
    if (fault === 'hang') return;
    if (fault === 'down') response.destroy();
    else if (fault === 'error') this.#fail(response, 500);
    else
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(fault === 'garbage' ? '<html>' : JSON.stringify(body));
  }

  #fail(response: ServerResponse, status: number): void {
    response.writeHead(status).end();
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}
