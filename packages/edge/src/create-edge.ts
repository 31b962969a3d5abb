import crypto from 'node:crypto';
import type { Seconds } from '@tessera/protocol';
import { RememberedTokens } from '@tessera/protocol/remembered-tokens';
import { refusalOf } from './challenge.ts';
import { DpopNonces } from './dpop-nonce.ts';
import { DpopReplayMemory } from './dpop-replay-memory.ts';
import { formatBasicAuthorization, Introspection } from './introspect.ts';
import { IssuerMetadata } from './issuer-metadata.ts';
import { JsonWebKeySet } from './json-web-key-set.ts';
import { describeNotice, describePolicy, type EdgeNotice } from './notice.ts';
import {
  audiencesOf,
  type EdgeOptions,
  feedUrlsOf,
  isAllowedUrl,
  isHttpUrl,
  judgeOptions,
  type RefusalCounts,
} from './options.ts';
import type { RequestFacts } from './request-facts.ts';
import { type ProtectedResourceMetadata, resourceMetadataOf, resourceMetadataUrl } from './resource-metadata.ts';
import { type FeedStatus, RevocationFeed } from './revocation-feed.ts';
import { RevocationSet } from './revocations.ts';
import type { Knowledge, StalePolicy } from './stale-policy.ts';
import type { RefusedToken, Requirement, Verification, VerifiedAccessToken } from './verification.ts';
import { type Judgement, judgeRequest, type VerificationParts } from './verify-access-token.ts';

/**
 * An edge: judges requests on behalf of an API. `start` connects to the revocation feed (the first request does so too) and resolves when the edge knows what has ended, or when
 * it had to go on without; `close` ends all it has under way. `metadata` is the API's RFC 9728 document, served at `metadataUrl`; both are absent for an API
 * whose identifier is not a URL.
 */
export type Edge = {
  verifyAccessToken(request: RequestFacts, requirement?: Requirement): Promise<Verification>;
  start(): Promise<EdgeStatus>;
  close(): Promise<void>;
  status(): EdgeStatus;
  metadata(): ProtectedResourceMetadata | undefined;
  readonly metadataUrl: string | undefined;
  readonly publicUrl: string | undefined;
};

/**
 * How an edge stands. `policy.inForce` is what happens when `knowledge` is not current: `none` without a feed. `stalenessMs`, in `feed`, is the measured age of
 * what is known about endings.
 */
export type EdgeStatus = {
  mode: 'signature' | 'introspection';
  knowledge: Knowledge | undefined;
  policy: { asked: StalePolicy; inForce: StalePolicy | 'none' };
  feed: FeedStatus | undefined;
  revocations: { size: number; capacity: number; isIncomplete: boolean };
  keys: ReturnType<JsonWebKeySet['status']>;
  remembered: ReturnType<RememberedTokens['status']>;
  introspection: ReturnType<Introspection['status']> | undefined;
  dpopProofsRemembered: number;
  accepted: number;
  refusals: RefusalCounts;
};

const rememberedBytes = 4 * 1024 * 1024;
const unknownKeyCoolDownMs = 10_000;

/** Sets up an edge. Throws `TypeError` for options that cannot work; asks nobody anything before `start` or the first request. */
export function createEdge(options: EdgeOptions): Edge {
  judgeOptions(options);
  return new RunningEdge(options);
}

class RunningEdge implements Edge {
  readonly metadataUrl: string | undefined;
  readonly publicUrl: string | undefined;
  readonly #options: EdgeOptions;
  readonly #clock: { now: () => Seconds; monotonicMs: () => number };
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #issuerMetadata: IssuerMetadata;
  readonly #parts: VerificationParts;
  readonly #feed: RevocationFeed | undefined;
  readonly #capacity: number;
  readonly #maxAgeMs: number;
  readonly #createdAtMs: number;
  readonly #metadata: ProtectedResourceMetadata | undefined;
  #incompleteAtMs: number | undefined;
  #isStarted = false;
  #isClosed = false;
  #accepted = 0;
  readonly #refusals: RefusalCounts = {};

  constructor(options: EdgeOptions) {
    this.#options = options;
    const { now = () => Math.floor(Date.now() / 1000), monotonicMs = () => performance.now() } = options;
    this.#clock = { now, monotonicMs };
    this.#randomBytes = options.randomBytes ?? crypto.randomBytes;
    this.#capacity = options.revocationCapacity ?? 200_000;
    this.#maxAgeMs = (options.staleness?.maxAge ?? 10) * 1000;
    this.#createdAtMs = monotonicMs();
    this.#issuerMetadata = new IssuerMetadata({
      issuer: options.issuer,
      fetch: options.fetch ?? fetch,
      monotonicMs,
      isAllowedUrl: (url) => URL.canParse(url) && isAllowedUrl(options, url),
    });
    this.#parts = this.#assembleParts();
    this.#feed = this.#assembleFeed();
    const resource = options.resource ?? audiencesOf(options).find(isHttpUrl) ?? options.publicUrl;
    this.#metadata = resource === undefined ? undefined : this.#describe(resource);
    this.metadataUrl = resource === undefined ? undefined : resourceMetadataUrl(resource);
    this.publicUrl = options.publicUrl;
  }

  async verifyAccessToken(request: RequestFacts, requirement: Requirement = {}): Promise<Verification> {
    if (!this.#isStarted && !this.#isClosed) void this.start();
    const now = this.#clock.now();
    const judgement = await judgeRequest(request, requirement, this.#parts, now);
    const { outcome, token } = judgement;
    if (outcome.ok && token) {
      this.#accepted++;
      return { ok: true, token, responseHeaders: outcome.responseHeaders };
    }
    return this.#refuse(request, requirement, judgement, now);
  }

  async start(): Promise<EdgeStatus> {
    if (!this.#isStarted && !this.#isClosed) {
      this.#isStarted = true;
      // Tells whether there is an introspection endpoint; that it cannot be told yet is no reason not to start.
      if (!this.#options.introspectionEndpoint) await this.#issuerMetadata.get().catch(() => undefined);
      this.#noticePolicy();
    }
    await this.#feed?.start();
    return this.status();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#feed?.close();
  }

  status(): EdgeStatus {
    const { mode, revocations, keys, remembered, introspection, binding } = this.#parts;
    return {
      mode,
      knowledge: this.#parts.knowledge?.(),
      policy: { asked: this.#askedPolicy(), inForce: this.#policyInForce() },
      feed: this.#feed?.status(),
      revocations: { size: revocations.size, capacity: this.#capacity, isIncomplete: revocations.isIncomplete },
      keys: keys.status(),
      remembered: remembered.status(),
      introspection: introspection?.status(),
      dpopProofsRemembered: binding.replayMemory.size,
      accepted: this.#accepted,
      refusals: { ...this.#refusals },
    };
  }

  metadata(): ProtectedResourceMetadata | undefined {
    return this.#metadata;
  }

  #refuse(request: RequestFacts, requirement: Requirement, judgement: Judgement, now: Seconds): Verification {
    const { outcome, credentials, token } = judgement;
    if (outcome.ok) throw new TypeError('an accepted request cannot be refused');
    const { nonces, areNoncesRequired, isRequired } = this.#parts.binding;
    const wantsNonce =
      outcome.reason === 'dpop_nonce_required' || (areNoncesRequired && outcome.reason === 'token_missing');
    const refusal = refusalOf(outcome, {
      id: Buffer.from(this.#randomBytes(12)).toString('base64url'),
      requirement,
      isDpopRequired: isRequired,
      ...(credentials ? { scheme: credentials.scheme } : {}),
      ...(this.metadataUrl === undefined ? {} : { metadataUrl: this.metadataUrl }),
      ...(wantsNonce ? { dpopNonce: nonces.current(now) } : {}),
      ...(token ? { about: idsOf(token) } : {}),
    });
    this.#refusals[refusal.reason] = (this.#refusals[refusal.reason] ?? 0) + 1;
    try {
      this.#options.onRefusal?.(refusal, request);
    } catch {
      // A broken logger must neither let a request through nor bring the API down.
    }
    return refusal;
  }

  #assembleParts(): VerificationParts {
    const options = this.#options;
    const introspection = this.#assembleIntrospection();
    const { nonces: areNoncesRequired, nonceSecret } = options.dpop ?? {};
    const skew = options.skew ?? 5;
    return {
      mode: options.mode ?? 'signature',
      issuer: options.issuer,
      audiences: audiencesOf(options),
      skew,
      keys: new JsonWebKeySet({
        locate: async () => options.jwksUri ?? required((await this.#issuerMetadata.get()).jwks_uri, 'jwks_uri'),
        fetch: options.fetch ?? fetch,
        monotonicMs: this.#clock.monotonicMs,
        coolDownMs: unknownKeyCoolDownMs,
      }),
      remembered: new RememberedTokens({ sizeBytes: rememberedBytes, prefix: this.#randomBytes(32) }),
      revocations: new RevocationSet({ capacity: this.#capacity }),
      policy: this.#askedPolicy(),
      canIntrospect: () => this.#canIntrospect(),
      binding: {
        isRequired: options.dpop?.isRequired ?? false,
        proofLifetime: options.dpop?.proofLifetime ?? 60,
        skew,
        replayMemory: new DpopReplayMemory({ capacity: options.dpop?.replayCapacity ?? 200_000 }),
        nonces: new DpopNonces(nonceSecret ?? this.#randomBytes(32)),
        areNoncesRequired: areNoncesRequired ?? nonceSecret !== undefined,
      },
      ...(options.sharedSecret ? { sharedSecret: options.sharedSecret } : {}),
      ...(introspection ? { introspection } : {}),
      ...(this.#hasFeed() ? { knowledge: () => this.#knowledge() } : {}),
    };
  }

  #assembleIntrospection(): Introspection | undefined {
    const { clientId, clientSecret, introspection = {}, introspectionEndpoint } = this.#options;
    const { bearerToken } = introspection;
    let authorization: (() => string | Promise<string>) | undefined;
    if (bearerToken !== undefined)
      authorization = async () => `Bearer ${typeof bearerToken === 'string' ? bearerToken : await bearerToken()}`;
    else if (clientId && clientSecret) authorization = () => formatBasicAuthorization(clientId, clientSecret);
    if (!authorization) return undefined;
    return new Introspection({
      locate: async () => introspectionEndpoint ?? (await this.#issuerMetadata.get()).introspection_endpoint,
      authorization,
      fetch: this.#options.fetch ?? fetch,
      monotonicMs: this.#clock.monotonicMs,
      cacheSeconds: introspection.cacheSeconds ?? 0,
      timeoutMs: (introspection.timeout ?? 2) * 1000,
      mostInFlight: introspection.mostInFlight ?? 100,
    });
  }

  #assembleFeed(): RevocationFeed | undefined {
    const { issuer, clientId, clientSecret } = this.#options;
    if (!this.#hasFeed() || !clientId || !clientSecret) return undefined;
    const { keys, remembered, revocations, skew } = this.#parts;
    return new RevocationFeed({
      issuer,
      keys,
      revocations,
      skew,
      locate: () => this.#locateFeed(),
      authorization: formatBasicAuthorization(clientId, clientSecret),
      onKeyRevoked: (kid) => {
        for (const number of keys.revoke(kid)) remembered.forgetKey(number);
      },
      onNotice: (notice) => this.#notice(notice),
      maxAge: this.#maxAgeMs / 1000,
      fetch: this.#options.fetch ?? fetch,
      now: this.#clock.now,
      monotonicMs: this.#clock.monotonicMs,
      random: () => (this.#randomBytes(1)[0] as number) / 255,
    });
  }

  async #locateFeed(): Promise<readonly string[]> {
    const named = feedUrlsOf(this.#options);
    if (named.length > 0) return named;
    const { tessera_revocation_feed_endpoint: published } = await this.#issuerMetadata.get();
    return [published ?? `${this.#options.issuer.replace(/\/$/, '')}/events/poll`];
  }

  #hasFeed(): boolean {
    return this.#options.mode !== 'introspection' && this.#options.allowRevokedUntilExpiry !== true;
  }

  #knowledge(): Knowledge {
    const nowMs = this.#clock.monotonicMs();
    const recency = this.#recency(nowMs);
    if (!this.#parts.revocations.isIncomplete) this.#incompleteAtMs = undefined;
    else {
      this.#incompleteAtMs ??= nowMs;
      // A set that was full before the feed was lost does not begin the time of `serve` anew.
      const staleForMs = Math.max(nowMs - this.#incompleteAtMs, recency.isCurrent ? 0 : recency.staleForMs);
      return { isCurrent: false, staleForMs, because: 'the revocation set is full' };
    }
    return recency;
  }

  /** How recent what is known is, whether or not it is whole. */
  #recency(nowMs: number): Knowledge {
    const stalenessMs = this.#feed?.stalenessMs();
    if (stalenessMs === undefined)
      return { isCurrent: false, staleForMs: nowMs - this.#createdAtMs, because: 'the first replay is not complete' };
    const dividedForMs = this.#feed?.dividedForMs();
    if (dividedForMs !== undefined) {
      const staleForMs = Math.max(dividedForMs, stalenessMs - this.#maxAgeMs);
      return { isCurrent: false, staleForMs, because: 'nodes of different stores answer the feed in turns' };
    }
    if (stalenessMs <= this.#maxAgeMs) return { isCurrent: true };
    return {
      isCurrent: false,
      staleForMs: stalenessMs - this.#maxAgeMs,
      because: `what is known is ${Math.round(stalenessMs / 1000)} s old, at most ${this.#maxAgeMs / 1000} s are allowed`,
    };
  }

  #askedPolicy(): StalePolicy {
    return this.#options.staleness?.policy ?? 'introspect';
  }

  #policyInForce(): StalePolicy | 'none' {
    if (!this.#hasFeed()) return 'none';
    const asked = this.#askedPolicy();
    return asked === 'introspect' && !this.#canIntrospect() ? 'refuse' : asked;
  }

  /** Credentials are there, and the issuer is not known to lack the endpoint. */
  #canIntrospect(): boolean {
    if (!this.#parts.introspection) return false;
    if (this.#options.introspectionEndpoint !== undefined) return true;
    const { held } = this.#issuerMetadata;
    return held === undefined || held.introspection_endpoint !== undefined;
  }

  #noticePolicy(): void {
    const asked = this.#askedPolicy();
    const inForce = this.#policyInForce();
    if (this.#options.mode === 'introspection') return;
    this.#notice({ kind: 'policy', asked, inForce, message: describePolicy(asked, inForce, this.#maxAgeMs / 1000) });
  }

  #notice(notice: EdgeNotice): void {
    try {
      if (this.#options.onNotice) this.#options.onNotice(notice);
      else console.warn(`tessera edge: ${describeNotice(notice)}`);
    } catch {
      // As with onRefusal.
    }
  }

  #describe(resource: string): ProtectedResourceMetadata {
    const { issuer, scopesSupported, resourceName, resourceDocumentation, dpop } = this.#options;
    return resourceMetadataOf({
      resource,
      issuer,
      isDpopRequired: dpop?.isRequired ?? false,
      ...(scopesSupported ? { scopesSupported } : {}),
      ...(resourceName === undefined ? {} : { name: resourceName }),
      ...(resourceDocumentation === undefined ? {} : { documentation: resourceDocumentation }),
    });
  }
}

function idsOf({ clientId, sessionId, grantId, tokenId }: VerifiedAccessToken): RefusedToken {
  return {
    clientId,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(grantId === undefined ? {} : { grantId }),
    ...(tokenId === undefined ? {} : { tokenId }),
  };
}

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new TypeError(`the issuer's metadata names no usable ${name}`);
  return value;
}
