import type { AccessTokenAlgorithm, Seconds } from '@tessera/protocol';
import type { JWK } from 'jose';

/** Where a request came from, as far as it may be kept: shown to the user and to administrators. */
export type Origin = { ip: string; userAgent: string };

/** A person of the built-in directory. */
export type UserRecord = {
  /** Random, never reused; the `sub` of tokens. */
  userId: string;
  /** Raised by the store at each change. */
  version: number;
  /** As the person writes it. */
  username: string;
  /** Unique among users; absent for users known by name only. */
  email?: string;
  emailVerified: boolean;
  /** argon2id, PHC string; absent while the user cannot sign in with a password. */
  passwordHash?: string;
  /** Standard and custom claims (OpenID Connect Core 1.0 section 5.1), without `sub`, `email` and `email_verified`. */
  claims: Record<string, unknown>;
  /** Names that the permission rules of resource servers speak of. */
  roles: string[];
  disabled: boolean;
  createdAt: Seconds;
  updatedAt: Seconds;
};

/** How an application keeps people signed in. The lifetimes that go with each are in `sessions/lifetimes.ts`. */
export type Strategy = 'stateless' | 'server-backed' | 'sliding' | 'sliding-revocable';

/** How a client proves who it is at the server's endpoints. Source: OpenID Connect Core 1.0 section 9. */
export type ClientAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';

export type GrantType = 'authorization_code' | 'refresh_token' | 'client_credentials';

/** Lifetimes an application or resource server sets for itself; what is absent comes from the level above. */
export type Lifetimes = {
  accessToken?: Seconds;
  /** How long a grant lives unused; `null`: it does not slide. */
  idle?: Seconds | null;
  /** How long a grant lives at the most. */
  absolute?: Seconds;
  /** How long a rotated refresh token still returns its successor; 0 turns it off. */
  retryWindow?: Seconds;
};

/** An application. Source: RFC 7591 section 2 for the fields it names. */
export type ClientRecord = {
  clientId: string;
  version: number;
  name: string;
  authMethod: ClientAuthMethod;
  /** Keyed digests of the client's secrets; several while one is being replaced. Empty for public clients and for private_key_jwt. */
  secretDigests: string[];
  /** Public keys for private_key_jwt. */
  jwks: JWK[];
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  grantTypes: GrantType[];
  /** Scopes it may be granted. */
  scopes: string[];
  /** Audiences its tokens have when it names none by `resource`. Empty: the issuer itself. */
  defaultResources: string[];
  /** Audiences it may ask for; `'any'` of the registered ones. */
  resources: string[] | 'any';
  strategy: Strategy;
  lifetimes: Lifetimes;
  /** False only for confidential clients. */
  rotation: boolean;
  pkce: 'required' | 'optional';
  dpop: 'required' | 'optional';
  /** `skip`: an app of the operator's own, whose users are not asked. */
  consent: 'ask' | 'skip';
  /** Whether `offline_access` may be granted. */
  offlineAccess: boolean;
  idTokenAlgorithm: 'RS256' | 'ES256' | 'EdDSA';
  /** Raised to end everything of this client at once. */
  epoch: number;
  disabled: boolean;
  logoUri?: string;
  policyUri?: string;
  tosUri?: string;
  /** True while the configuration file declares it: then only the file changes it. */
  declared: boolean;
  createdAt: Seconds;
  updatedAt: Seconds;
};

/** A group of related APIs that share scopes and permission rules. */
export type ResourceServerRecord = {
  resourceServerId: string;
  version: number;
  name: string;
  /** The identifiers (`aud`, `resource`) of its APIs. Unique among resource servers. */
  audiences: string[];
  /** Its scopes, each with words for the consent page. */
  scopes: Record<string, { description?: string }>;
  /** The permission rules: role → scopes and other permissions. A scope that stands here is granted only to users with such a role. */
  roles: Record<string, string[]>;
  accessTokenLifetime?: Seconds;
  /** `opaque`: its tokens are sealed and can be read by introspection alone. */
  tokenFormat: 'jwt' | 'opaque';
  algorithm: AccessTokenAlgorithm;
  /** HS256 only: its secret, encrypted under the server's root key. */
  encryptedSecret?: string;
  /** Clients that act for it: they may introspect its tokens and receive its revocation feed. */
  clients: string[];
  declared: boolean;
  createdAt: Seconds;
  updatedAt: Seconds;
};

/** A signing key, private half encrypted under the server's root key. Rotation moves it from `next` to `current` to `retired`. */
export type SigningKeyRecord = {
  kid: string;
  version: number;
  algorithm: 'ES256' | 'RS256' | 'EdDSA';
  publicJwk: JWK;
  encryptedPrivateJwk: string;
  state: 'next' | 'current' | 'retired' | 'revoked';
  createdAt: Seconds;
  /** When it began to sign; null while it is only announced. */
  activatedAt: Seconds | null;
  /** When it ceased to sign; published until the last token it signed has expired. */
  retiredAt: Seconds | null;
};

/** What a user allowed an application. Its id is `<userId>/<clientId>`. */
export type ConsentRecord = {
  consentId: string;
  version: number;
  userId: string;
  clientId: string;
  scopes: string[];
  resources: string[];
  grantedAt: Seconds;
};

/** One fact about the store or the issuer as a whole, by name. */
export type SettingRecord = { name: string; version: number; value: unknown };

/** The kinds of records that are read and replaced whole, each with the name of its id. */
export type Documents = {
  user: UserRecord;
  client: ClientRecord;
  resource_server: ResourceServerRecord;
  signing_key: SigningKeyRecord;
  consent: ConsentRecord;
  setting: SettingRecord;
};
export type DocumentKind = keyof Documents;

/** Why a session or a grant ended. */
export type EndReason =
  | 'user_signed_out'
  | 'client_signed_out'
  | 'signed_out_everywhere'
  | 'admin'
  | 'token_revoked'
  | 'refresh_reused'
  | 'code_reused'
  | 'consent_withdrawn'
  | 'password_changed'
  | 'user_disabled'
  | 'user_removed'
  | 'client_removed'
  | 'client_cut_off'
  | 'replaced'
  | 'store_restored'
  | 'idle'
  | 'expired';

/** One sign-in of one user in one browser or device. */
export type SessionRecord = {
  /** Random, time-ordered; stands in tokens, opens nothing. */
  sid: string;
  /** Raised when it is renewed or ended, not when it is touched. */
  version: number;
  userId: string;
  /** SHA-256 (base64url) of the cookie's secret; replaced at every sign-in and step-up. */
  cookieDigest: string;
  authTime: Seconds;
  amr: string[];
  acr: string;
  createdAt: Seconds;
  /** Where the sign-in happened. */
  origin: Origin;
  /** When its cookie was last used; written at most once per touch interval. */
  lastSeenAt: Seconds;
  /** How far each use moves `ssoUntil`: longer with "keep me signed in". */
  ssoIdle: Seconds;
  /** Until when its cookie skips the sign-in page. Its lapse ends nothing. */
  ssoUntil: Seconds;
  /** Absolute limit; nothing moves it but a new sign-in. */
  endsAt: Seconds;
  endedAt: Seconds | null;
  endReason: EndReason | null;
};

/** What one client may do under one session: a refresh token family, one row for its whole life. */
export type GrantRecord = {
  // Set at birth, never changed:
  grantId: string;
  sid: string;
  userId: string;
  clientId: string;
  /** `session` ends with its session; `offline` survives a mere sign-out of the browser. */
  kind: 'session' | 'offline';
  scopes: string[];
  resources: string[];
  /** The `claims` parameter (OpenID Connect Core 1.0 section 5.5). */
  claims: Record<string, unknown> | null;
  authTime: Seconds;
  amr: string[];
  acr: string;
  /** Thumbprint of the DPoP key a public client's grant is bound to. */
  jkt: string | null;
  clientEpoch: number;
  issuerEpoch: number;
  /** SHA-256 (base64url) of the secret in its refresh tokens; null for a grant without refresh token. */
  secretDigest: string | null;
  /** How far each use moves `idleAt`; null when the grant does not slide. */
  idleLimit: Seconds | null;
  /** Absolute limit. */
  endsAt: Seconds;
  createdAt: Seconds;
  // Changed by each rotation:
  /** The generation of the one live refresh token; 0 for a grant without refresh token. */
  generation: number;
  /** The root key its live refresh token was sealed under. */
  sealKeyId: string;
  /** When the live refresh token was made. */
  rotatedAt: Seconds;
  /** When the grant lapses if it is not used; null when it does not slide. */
  idleAt: Seconds | null;
  lastUsedAt: Seconds;
  lastOrigin: Origin;
  /** How often it was rotated or reissued. */
  uses: number;
  /** How often a spent refresh token returned its successor again. */
  replays: number;
  endedAt: Seconds | null;
  endReason: EndReason | null;
};

/** A leaking bucket that counts failures. `level` as of `at`; it leaks `leakPerSecond`. */
export type BucketRecord = { key: string; level: number; at: Seconds; leakPerSecond: number };
