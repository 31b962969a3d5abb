import type { Seconds } from '@tessera/protocol';
import type {
  ClientRecord,
  ConsentRecord,
  GrantRecord,
  ResourceServerRecord,
  SessionRecord,
  SettingRecord,
  SigningKeyRecord,
  UserRecord,
} from './records.ts';
import type { Ending } from './store.ts';

/** The moment at which the records of tests are made. */
export const sampleTime: Seconds = 1_800_000_000;

let made = 0;

/** An id as the server makes them: 16 bytes in base64url, each greater than the one before. For tests. */
export function nextId(): string {
  made += 1;
  const bytes = Buffer.alloc(16, 0x5a);
  bytes.writeUIntBE(made, 0, 6);
  return bytes.toString('base64url');
}

/** A digest as the server makes them: 32 bytes in base64url. For tests. */
export function nextDigest(): string {
  return Buffer.concat([Buffer.from(nextId(), 'base64url'), Buffer.alloc(16, 0xff)]).toString('base64url');
}

/** A user for tests. */
export function sampleUser(changes: Partial<UserRecord> = {}): UserRecord {
  const userId = changes.userId ?? nextId();
  return {
    userId,
    version: 1,
    // Names are compared without regard to case, ids are not.
    username: `user-${Buffer.from(userId).toString('hex')}`,
    emailVerified: false,
    claims: { name: 'Ada' },
    roles: ['reader'],
    disabled: false,
    createdAt: sampleTime,
    updatedAt: sampleTime,
    ...changes,
  };
}

/** A client for tests. */
export function sampleClient(changes: Partial<ClientRecord> = {}): ClientRecord {
  return {
    clientId: nextId(),
    version: 1,
    name: 'Web',
    authMethod: 'none',
    secretDigests: [],
    jwks: [],
    redirectUris: ['https://app.example/cb'],
    postLogoutRedirectUris: [],
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['openid'],
    defaultResources: [],
    resources: 'any',
    strategy: 'sliding-revocable',
    lifetimes: { idle: null, absolute: 3600 },
    rotation: true,
    pkce: 'required',
    dpop: 'optional',
    consent: 'ask',
    offlineAccess: false,
    idTokenAlgorithm: 'RS256',
    epoch: 0,
    disabled: false,
    declared: false,
    createdAt: sampleTime,
    updatedAt: sampleTime,
    ...changes,
  };
}

/** A resource server for tests. */
export function sampleResourceServer(changes: Partial<ResourceServerRecord> = {}): ResourceServerRecord {
  const resourceServerId = changes.resourceServerId ?? nextId();
  return {
    resourceServerId,
    version: 1,
    name: 'Orders',
    audiences: [`https://${resourceServerId}.example`],
    scopes: { 'orders:read': { description: 'See your orders' } },
    roles: { clerk: ['orders:read'] },
    tokenFormat: 'jwt',
    algorithm: 'ES256',
    clients: [],
    declared: false,
    createdAt: sampleTime,
    updatedAt: sampleTime,
    ...changes,
  };
}

/** A signing key for tests; no key is in it. */
export function sampleSigningKey(changes: Partial<SigningKeyRecord> = {}): SigningKeyRecord {
  return {
    kid: nextId(),
    version: 1,
    algorithm: 'ES256',
    publicJwk: { kty: 'EC', crv: 'P-256' },
    encryptedPrivateJwk: 'sealed',
    state: 'next',
    createdAt: sampleTime,
    activatedAt: null,
    retiredAt: null,
    ...changes,
  };
}

/** A consent for tests. */
export function sampleConsent(changes: Partial<ConsentRecord> = {}): ConsentRecord {
  const userId = changes.userId ?? nextId();
  const clientId = changes.clientId ?? nextId();
  return {
    consentId: `${userId}/${clientId}`,
    version: 1,
    userId,
    clientId,
    scopes: ['openid'],
    resources: [],
    grantedAt: sampleTime,
    ...changes,
  };
}

/** A setting for tests. */
export function sampleSetting(changes: Partial<SettingRecord> = {}): SettingRecord {
  return { name: `setting-${nextId()}`, version: 1, value: { nested: [1, null, 'x'] }, ...changes };
}

/** A session for tests: created at `sampleTime`, its cookie good for an hour, itself for a day. */
export function sampleSession(changes: Partial<SessionRecord> = {}): SessionRecord {
  return {
    sid: nextId(),
    version: 1,
    userId: nextId(),
    cookieDigest: nextDigest(),
    authTime: sampleTime,
    amr: ['pwd', 'otp'],
    acr: 'urn:example:2',
    createdAt: sampleTime,
    origin: { ip: '192.0.2.1', userAgent: 'Firefox' },
    lastSeenAt: sampleTime,
    ssoIdle: 3600,
    ssoUntil: sampleTime + 3600,
    endsAt: sampleTime + 86_400,
    endedAt: null,
    endReason: null,
    ...changes,
  };
}

/** A grant for tests, under a session: generation 1, lapses after an hour unused, ends with the session. */
export function sampleGrant(session: SessionRecord, changes: Partial<GrantRecord> = {}): GrantRecord {
  return {
    grantId: nextId(),
    sid: session.sid,
    userId: session.userId,
    clientId: 'web',
    kind: 'session',
    scopes: ['openid', 'orders:read'],
    resources: ['https://orders.example'],
    claims: { userinfo: { email: null } },
    authTime: session.authTime,
    amr: session.amr,
    acr: session.acr,
    jkt: nextDigest(),
    clientEpoch: 0,
    issuerEpoch: 3,
    secretDigest: nextDigest(),
    idleLimit: 3600,
    endsAt: session.endsAt,
    createdAt: sampleTime,
    generation: 1,
    sealKeyId: 'k1',
    rotatedAt: sampleTime,
    idleAt: sampleTime + 3600,
    lastUsedAt: sampleTime,
    lastOrigin: { ip: '192.0.2.1', userAgent: 'Firefox' },
    uses: 0,
    replays: 0,
    endedAt: null,
    endReason: null,
    ...changes,
  };
}

/** An ending for tests. */
export function sampleEnding(changes: Partial<Ending> = {}): Ending {
  return {
    reason: 'admin',
    at: sampleTime + 60,
    actor: { kind: 'cli' },
    until: sampleTime + 960,
    ...changes,
  };
}
