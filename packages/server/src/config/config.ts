import type { AccessTokenAlgorithm, Seconds } from '@tessera/protocol';
import type { JWK } from 'jose';
import type { ClientAuthMethod, GrantType, Lifetimes, Strategy } from '../store/records.ts';

/** How many failures fill a bucket, and in how many seconds a full one empties. */
export type ThrottleLimit = { failures: number; window: Seconds };

/**
 * The server's settings, complete and checked: what `readConfig` makes of the file and the environment. The file has the same keys, all but
 * `issuer` with defaults; each key's meaning and default stand in `config/schema.ts`.
 */
export type Config = {
  /** The issuer URL, without a trailing slash; https, or http on loopback. */
  issuer: string;
  listen: { host: string; port: number };
  /** Folder of the embedded store and of the root keys. */
  data: string;
  /** The URL of a Postgres database to use instead of the embedded store. A secret: it may hold a password. */
  store?: string;
  /** How many processes `tessera serve` runs on this port. */
  workers: number;
  /** The file of the journal of endings. Default: `endings.journal` in `data`. */
  journal?: string;
  brand: { name: string; accent?: string; accentDark?: string; logo?: string };
  /** Addresses or CIDR ranges of reverse proxies whose `X-Forwarded-For` is believed. */
  trustedProxies: string[];
  lifetimes: {
    accessToken: Seconds;
    idToken: Seconds;
    authorizationCode: Seconds;
    /** A grant's idle limit. */
    idle: Seconds;
    /** A grant's absolute limit. */
    absolute: Seconds;
    /** A session's absolute limit. */
    session: Seconds;
    /** How long after its last use a session's cookie skips the sign-in page. */
    sso: Seconds;
    /** The same with "keep me signed in". */
    ssoRemembered: Seconds;
    retryWindow: Seconds;
  };
  throttle: {
    /** Failures of strangers' browsers against one account. */
    account: ThrottleLimit;
    /** Failures from one address (IPv6: one /64), whatever the account. */
    source: ThrottleLimit;
    /** Failures of one client's authentication from one address. */
    client: ThrottleLimit;
  };
  keys: {
    /** A signing key signs for that long. */
    rotateEvery: Seconds;
    /** Its successor is published that long before it signs. */
    announceFor: Seconds;
  };
  /** What happens with scopes nobody registered. */
  unknownScopes: 'drop' | 'refuse';
  /** How long events are kept. */
  eventRetention: Seconds;
  /** What a reused refresh token ends beside its grant. */
  reuseEnds: 'grant' | 'session';
  logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  users: DeclaredUser[];
  clients: DeclaredClient[];
  resourceServers: DeclaredResourceServer[];
};

/** A user the file declares. Created when absent; afterwards the file changes only what it names here, never a password the user changed. */
export type DeclaredUser = {
  username: string;
  email?: string;
  emailVerified: boolean;
  password?: string;
  passwordHash?: string;
  claims: Record<string, unknown>;
  roles: string[];
  disabled: boolean;
  /** The keys that stand in the file: only these change a user who exists. Absent: all that have a value. */
  named?: string[];
};

/** A client the file declares; names of RFC 7591 section 2 keep their spelling. */
export type DeclaredClient = {
  client_id: string;
  client_name: string;
  client_secret?: string;
  token_endpoint_auth_method: ClientAuthMethod;
  jwks?: { keys: JWK[] };
  redirect_uris: string[];
  post_logout_redirect_uris: string[];
  grant_types: GrantType[];
  /** Space-separated, as in RFC 7591. */
  scope: string;
  id_token_signed_response_alg: 'RS256' | 'ES256' | 'EdDSA';
  logo_uri?: string;
  policy_uri?: string;
  tos_uri?: string;
  defaultResources: string[];
  resources: string[] | 'any';
  strategy: Strategy;
  lifetimes: Lifetimes;
  rotation: boolean;
  pkce: 'required' | 'optional';
  dpop: 'required' | 'optional';
  consent: 'ask' | 'skip';
  offlineAccess: boolean;
  disabled: boolean;
};

/** A resource server the file declares. */
export type DeclaredResourceServer = {
  id: string;
  name: string;
  audiences: string[];
  scopes: Record<string, { description?: string }>;
  roles: Record<string, string[]>;
  accessTokenLifetime?: Seconds;
  tokenFormat: 'jwt' | 'opaque';
  algorithm: AccessTokenAlgorithm;
  /** HS256 only. */
  secret?: string;
  clients: string[];
};
