import { isSecureUrl, largestAllowedSkew, type RefusalReason, type Seconds } from '@tessera/protocol';
import type { Fetch } from './fetch-json.ts';
import type { EdgeNotice } from './notice.ts';
import type { RequestFacts } from './request-facts.ts';
import type { StalePolicy } from './stale-policy.ts';
import type { Refusal } from './verification.ts';

/** How an edge is set up. Only `issuer` and `audience` are always needed; signature mode with revocations needs `clientId` and `clientSecret` too. */
export type EdgeOptions = {
  /** The issuer, exactly as it stands in `iss`. */
  issuer: string;
  /** What must stand in `aud`: this API's identifier, or several. */
  audience: string | readonly string[];
  /** `signature` (default): verified here, and asked of the revocation feed. `introspection`: the issuer is asked about every token (RFC 7662). */
  mode?: 'signature' | 'introspection';
  /** What this API authenticates with at the revocation feed and at introspection (client_secret_basic). */
  clientId?: string | undefined;
  clientSecret?: string | undefined;

  /** Signature mode without a revocation feed: a token that was revoked is accepted until it expires. Weakens; off by default. */
  allowRevokedUntilExpiry?: boolean;
  /** How old the knowledge of what was revoked may get (`maxAge`, default 10 s, at least 3 s), and what happens then (default `introspect`). */
  staleness?: { maxAge?: Seconds; policy?: StalePolicy };
  /** How many endings are remembered (default 200000, about 20 MiB); when they do not fit, the policy for stale revocations holds. */
  revocationCapacity?: number;

  /** Settings of introspection. `bearerToken`: authenticates instead of the client secret. `cacheSeconds` (default 0): a revoked token lives on for as long. */
  introspection?: {
    bearerToken?: string | (() => string | Promise<string>);
    cacheSeconds?: Seconds;
    timeout?: Seconds;
    mostInFlight?: number;
  };

  /**
   * Settings of DPoP. `isRequired`: unbound tokens are refused. `nonces`: proofs must carry a nonce of this edge; otherwise it asks for one only where the clock of a device is off.
   * `nonceSecret` (32 bytes) shares nonces between processes, and demands them unless `nonces` is false.
   */
  dpop?: {
    isRequired?: boolean;
    nonces?: boolean;
    nonceSecret?: Uint8Array;
    proofLifetime?: Seconds;
    replayCapacity?: number;
  };

  /** A secret shared with the issuer, at least 32 bytes: then only HS256 tokens are accepted, and without it none. */
  sharedSecret?: Uint8Array;
  /** By how much the clocks may differ (default 5 s, at most 60 s). */
  skew?: Seconds;

  /**
   * The URL under which clients reach this API; headers such as X-Forwarded-Host are never trusted. Without it a DPoP proof is compared with the Host header, which the sender
   * writes: set it behind a proxy, and wherever DPoP is used.
   */
  publicUrl?: string;
  /** This API's identifier in its metadata (RFC 9728). Default: the first audience that is a URL, else `publicUrl`. */
  resource?: string;
  scopesSupported?: readonly string[];
  resourceName?: string;
  resourceDocumentation?: string;

  /** Where things are, when the issuer's metadata does not say or should not be asked. `feedUrls`: several nodes, tried in turn. */
  jwksUri?: string;
  introspectionEndpoint?: string;
  feedUrl?: string;
  feedUrls?: readonly string[];
  /** Allows http to hosts other than this machine. Tokens and keys then travel in the clear: for tests only. */
  allowInsecureRequests?: boolean;

  /** Called for every refusal, with its reason. Errors it throws are ignored. */
  onRefusal?: (refusal: Refusal, request: RequestFacts) => void;
  /** Called when the feed is lost, found, or had a gap, and once at the start with the policy in force. Default: one line on standard error. */
  onNotice?: (notice: EdgeNotice) => void;

  /** The rest is injectable for tests. `now`: whole seconds; `monotonicMs`: never steps back. */
  fetch?: Fetch;
  now?: () => Seconds;
  monotonicMs?: () => number;
  randomBytes?: (length: number) => Uint8Array;
};

/** Refusals since the start, by reason. */
export type RefusalCounts = Partial<Record<RefusalReason, number>>;

/** Throws `TypeError` for options that cannot work or that would leave the edge silently open. */
export function judgeOptions(options: EdgeOptions): void {
  const { issuer, clientId, clientSecret, introspection, sharedSecret, skew, staleness, dpop } = options;
  const isIntrospecting = options.mode === 'introspection';
  // An unset environment variable often arrives as an empty string.
  const hasSecret = Boolean(clientId) && Boolean(clientSecret);
  if (audiencesOf(options).length === 0)
    throw new TypeError('audience must name this API; without it tokens for any API would pass');
  judgeUrls(options);
  if (new URL(issuer).search !== '' || new URL(issuer).hash !== '')
    throw new TypeError(`issuer "${issuer}" must have neither query nor fragment (RFC 8414 section 2)`);
  if (isIntrospecting && !hasSecret && introspection?.bearerToken === undefined)
    throw new TypeError('mode "introspection" needs clientId and clientSecret, or introspection.bearerToken');
  if (!isIntrospecting && !hasSecret && !options.allowRevokedUntilExpiry)
    throw new TypeError(
      'the revocation feed needs clientId and clientSecret; without a feed a revoked token is accepted until it expires, which allowRevokedUntilExpiry: true permits',
    );
  if (skew !== undefined && !(skew >= 0 && skew <= largestAllowedSkew))
    throw new TypeError(`skew must be between 0 and ${largestAllowedSkew} seconds, got ${skew}`);
  if (sharedSecret !== undefined && sharedSecret.length < 32)
    throw new TypeError(`sharedSecret must have at least 32 bytes (RFC 7518 section 3.2), got ${sharedSecret.length}`);
  judgeNumber('staleness.maxAge', staleness?.maxAge, 3, ' seconds');
  judgeNumber('revocationCapacity', options.revocationCapacity, 1);
  judgeNumber('introspection.cacheSeconds', introspection?.cacheSeconds, 0);
  judgeNumber('introspection.timeout', introspection?.timeout, 0.001, ' seconds');
  judgeNumber('introspection.mostInFlight', introspection?.mostInFlight, 1);
  // A lifetime that is no number would be one that never ends.
  judgeNumber('dpop.proofLifetime', dpop?.proofLifetime, 1, ' seconds');
  judgeNumber('dpop.replayCapacity', dpop?.replayCapacity, 1);
  judgePolicy(staleness?.policy);
}

/** Where keys, tokens and secrets travel to must be safe; `publicUrl` and `resource` only name this API, and must be readable at each request. */
function judgeUrls(options: EdgeOptions): void {
  const { issuer, jwksUri, introspectionEndpoint, publicUrl, resource } = options;
  for (const [name, url] of Object.entries({ issuer, publicUrl, resource }))
    if ((url !== undefined || name === 'issuer') && !isHttpUrl(url))
      throw new TypeError(`${name} must be a whole URL such as https://api.example.com, got ${JSON.stringify(url)}`);
  for (const url of [issuer, jwksUri, introspectionEndpoint, ...feedUrlsOf(options)])
    if (url !== undefined && !(URL.canParse(url) && isAllowedUrl(options, url)))
      throw new TypeError(`"${url}" must be https (or http on this machine); set allowInsecureRequests only for tests`);
}

function judgeNumber(name: string, value: number | undefined, least: number, unit = ''): void {
  if (value !== undefined && !(value >= least && Number.isFinite(value)))
    throw new TypeError(`${name} must be at least ${least}${unit}, and finite; got ${value}`);
}

function judgePolicy(policy: StalePolicy | undefined): void {
  if (policy === undefined || policy === 'introspect' || policy === 'refuse') return;
  if (typeof policy !== 'object' || !(policy.serve >= 0) || !Number.isFinite(policy.serve))
    throw new TypeError(
      `staleness.policy must be "introspect", "refuse" or { serve: seconds }, got ${JSON.stringify(policy)}`,
    );
}

/** The audiences as a list. */
export function audiencesOf({ audience }: EdgeOptions): readonly string[] {
  // An environment variable that is not set.
  if (audience === undefined) return [];
  return (typeof audience === 'string' ? [audience] : audience).filter((one) => one !== '');
}

/** The feed's URLs the options name, none when the issuer's metadata is to say. */
export function feedUrlsOf({ feedUrl, feedUrls }: EdgeOptions): readonly string[] {
  return [...(feedUrl === undefined ? [] : [feedUrl]), ...(feedUrls ?? [])];
}

/** True for a URL that keys, tokens and secrets may travel to. */
export function isAllowedUrl({ allowInsecureRequests }: EdgeOptions, text: string): boolean {
  const url = new URL(text);
  return isSecureUrl(url) || (allowInsecureRequests === true && url.protocol === 'http:');
}

/** True for the text of an http or https URL. */
export function isHttpUrl(text: unknown): text is string {
  return typeof text === 'string' && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
