import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Seconds } from '@tessera/protocol';
import { type ConfigFile, createServer, parseConfig, type TesseraServer } from '@tessera/server';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Random } from '../../packages/server/src/secrets/random.ts';
import { type RootKey, RootKeys } from '../../packages/server/src/secrets/root-keys.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/open.ts';
import {
  grantSecretBytes,
  openRefreshToken,
  sealRefreshToken,
} from '../../packages/server/src/tokens/refresh-token.ts';
import { TestBrowser } from '../test-browser.ts';
import { basic, ordersApi, secret } from '../test-server.ts';
import { type ClientTraits, clients, limits } from './model.ts';

export const issuer = 'http://localhost:8080';
export const start: Seconds = 1_800_000_000;
export const users = ['ada', 'bob'] as const;
export const browserCount = 3;
export const password = 'correct horse battery staple';
/** The hash of that password at a cost next to nothing: a run signs in dozens of times. */
const cheapHash = '$argon2id$v=19$m=8,t=1,p=1$BQUFBQUFBQUFBQUFBQUFBQ$+QkpxyyJ8JxP6Xl7S16CHzK72HdvtyWyB9Bk4ESY6ZU';

export function redirectUri(client: ClientTraits): string {
  return `https://${client.name}.example.com/callback`;
}

/** A DPoP key, and the proofs made with it. */
export type ProofKey = { jkt: string; proof(at: Seconds, nonce: string | undefined): Promise<string> };

export async function makeProofKey(): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk: JWK = await exportJWK(publicKey);
  return {
    jkt: await calculateJwkThumbprint(jwk),
    proof: (at, nonce) =>
      new SignJWT({ htm: 'POST', htu: `${issuer}/token`, jti: randomUUID(), ...(nonce !== undefined && { nonce }) })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt(at)
        .sign(privateKey),
  };
}

/** The settings of the world; `model.ts` holds the same limits. */
function worldConfig(): ConfigFile {
  return {
    issuer,
    logLevel: 'silent',
    lifetimes: {
      accessToken: limits.accessToken,
      authorizationCode: limits.code,
      absolute: 400,
      session: limits.session,
      sso: 200,
      retryWindow: 30,
    },
    keys: { rotateEvery: 730 * 86_400, announceFor: 86_400 },
    users: users.map((username) => ({ username, passwordHash: cheapHash })),
    clients: [
      ...clients.map((client) => ({
        client_id: client.name,
        ...(!client.isPublic && { client_secret: secret }),
        redirect_uris: [redirectUri(client)],
        scope: 'openid orders:read',
        consent: 'skip' as const,
        strategy: client.strategy,
        offlineAccess: client.offline,
        rotation: client.rotates,
        dpop: client.isKeyed ? ('required' as const) : ('optional' as const),
        lifetimes: {
          retryWindow: client.window,
          ...(client.idle !== null && { idle: client.idle }),
          // `sliding` has no cap of its own; for its offline grants the server's counts.
          ...(client.strategy !== 'sliding' && { absolute: client.absolute }),
        },
      })),
      { client_id: 'orders-api', client_secret: secret, grant_types: ['client_credentials' as const] },
    ],
    resourceServers: [
      {
        id: 'orders',
        name: 'Orders',
        audiences: [ordersApi],
        scopes: { 'orders:read': { description: 'See your orders' } },
        clients: ['orders-api'],
      },
    ],
  };
}

export type Answer = { status: number; body: Record<string, unknown>; nonce: string | undefined };

/** A whole server on a real file, with browsers before it; the clock and the randomness are in the test's hand. */
export class World {
  server!: TesseraServer;
  browsers: TestBrowser[] = [];
  key!: ProofKey;
  otherKey!: ProofKey;
  readonly #folder: string;
  #ring: RootKey[] = [{ id: keyId(0), secret: keySecret(0), state: 'current' }];
  #nowMs = start * 1000;
  #random: Random = seededRandom('start');
  #runs = 0;
  #nonce: string | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<World> {
    // In memory where that can be had: what survives a crash is proven in tests/crash, and each flush costs milliseconds here.
    const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const world = new World(await mkdtemp(join(folder, 'tessera-world-')));
    world.key = await makeProofKey();
    world.otherKey = await makeProofKey();
    await world.#start();
    return world;
  }

  get now(): Seconds {
    return this.#nowMs / 1000;
  }

  /** A new run: hours later, when all that was before has lapsed, with fresh browsers. */
  begin(seed: number): void {
    this.advance(7200);
    // A shrunk run repeats its seed; ids and secrets must be new all the same.
    this.#random = seededRandom(`${seed}/${this.#runs++}`);
    this.browsers = Array.from(
      { length: browserCount },
      (_, index) => new TestBrowser(issuer, (request) => this.server.fetch(request, `192.0.2.${index + 1}`)),
    );
  }

  /** Moves the clock; backwards too. */
  advance(seconds: Seconds): void {
    this.#nowMs += seconds * 1000;
  }

  /** Closes the server and opens another on the same file; `rotate`: another root key seals from now on. */
  async restart(rotate: boolean): Promise<void> {
    if (rotate) this.#rotate();
    await this.server.close();
    await this.#start();
  }

  async close(): Promise<void> {
    await this.server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Posts a form; every refusal must have an id that stands in body and header alike. */
  async post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.server.fetch(
      new Request(issuer + path, { method: 'POST', body: new URLSearchParams(form), headers }),
      '198.51.100.7',
    );
    const body = (await response.json()) as Record<string, unknown>;
    this.#nonce = response.headers.get('dpop-nonce') ?? this.#nonce;
    assert.ok(response.status < 500, `${path} answered ${response.status}: ${JSON.stringify(body)}`);
    if (response.status !== 200) {
      assert.match(String(body.refusal_id), /^[A-Za-z0-9_-]{12}$/);
      assert.equal(response.headers.get('tessera-refusal-id'), body.refusal_id);
    }
    return { status: response.status, body, nonce: response.headers.get('dpop-nonce') ?? undefined };
  }

  /** A token request of that client: authenticated its way, with a proof if it is keyed. */
  async tokenRequest(
    client: ClientTraits,
    form: Record<string, string>,
    answersNonce: boolean,
    key = this.key,
  ): Promise<Answer> {
    const send = async () => {
      const proof = client.isKeyed && { dpop: await key.proof(this.now, answersNonce ? this.#nonce : undefined) };
      return this.post(
        '/token',
        { ...form, ...(client.isPublic && { client_id: client.name }) },
        { ...(!client.isPublic && basic(client.name)), ...proof },
      );
    };
    if (!client.isKeyed || !answersNonce) return send();
    // Like a client whose last nonce is stale: it is told a fresh one and comes again, once.
    const first = await send();
    return first.status === 400 && first.body.error === 'use_dpop_nonce' ? send() : first;
  }

  refresh(client: ClientTraits, token: string, answersNonce = false, key = this.key): Promise<Answer> {
    return this.tokenRequest(client, { grant_type: 'refresh_token', refresh_token: token }, answersNonce, key);
  }

  revoke(client: ClientTraits, token: string): Promise<Answer> {
    return this.post(
      '/revoke',
      { token, ...(client.isPublic && { client_id: client.name }) },
      client.isPublic ? {} : basic(client.name),
    );
  }

  /** The token of the same grant and generation, sealed rightly around another secret. */
  forgeWithKey(token: string): string {
    const { rootKeys } = this.server.context;
    const opened = openRefreshToken(rootKeys, token);
    assert.ok(opened);
    return sealRefreshToken(rootKeys, { ...opened, secret: Buffer.alloc(grantSecretBytes, 1) }) as string;
  }

  async isActive(asker: string, token: string): Promise<boolean> {
    const { status, body } = await this.post('/introspect', { token }, basic(asker));
    assert.equal(status, 200);
    return body.active as boolean;
  }

  sessionCookie(browser: number): string | undefined {
    return this.browsers[browser]?.cookies.get('tessera_session_8080');
  }

  /** The sid that stands behind a browser's cookie. */
  async sidOf(browser: number): Promise<string | undefined> {
    const cookie = this.sessionCookie(browser);
    if (cookie === undefined) return undefined;
    const digest = createHash('sha256').update(cookie).digest('base64url');
    return (await this.server.context.store.getSignIn({ cookieDigest: digest })).session?.sid;
  }

  async #start(): Promise<void> {
    this.server = await createServer({
      config: parseConfig(worldConfig()),
      store: await openSqliteStore({ file: join(this.#folder, 'tessera.db') }),
      rootKeys: new RootKeys(this.#ring),
      nowMs: () => this.#nowMs,
      random: (size) => this.#random(size),
    });
  }

  #rotate(): void {
    const accepted = this.#ring.map((key) => ({ ...key, state: 'accepted' as const }));
    const [oldest, ...rest] = accepted as [RootKey, ...RootKey[]];
    const next = accepted.length < 5 ? { id: keyId(accepted.length), secret: keySecret(accepted.length) } : oldest;
    this.#ring = [...(accepted.length < 5 ? accepted : rest), { ...next, state: 'current' }];
  }
}

function keyId(index: number): string {
  return Buffer.from([0, 0, 0, index]).toString('base64url');
}

function keySecret(index: number): Uint8Array {
  return createHash('sha256').update(`root key ${index}`).digest();
}

/** Bytes that look random and are the same for one seed: a run can be repeated. */
function seededRandom(seed: string): Random {
  let counter = 0;
  return (size) => {
    const blocks: Buffer[] = [];
    for (let made = 0; made < size; made += 32)
      blocks.push(createHash('sha256').update(`${seed}/${counter++}`).digest());
    return Buffer.concat(blocks).subarray(0, size);
  };
}
