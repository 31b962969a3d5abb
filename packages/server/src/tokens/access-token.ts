import { createHmac } from 'node:crypto';
import { type AccessTokenClaims, accessTokenType, decodeJwt, type Seconds } from '@tessera/protocol';
import * as z from 'zod';
import type { Context } from '../context.ts';
import { sameText, seal, unseal } from '../secrets/sealed.ts';
import type { ClientRecord, GrantRecord, ResourceServerRecord } from '../store/records.ts';
import { encodeJson, type SignedToken } from './signing-keys.ts';

/** What an access token is made from. `grant` and `subject.userId` are absent for a client acting for itself. */
export type AccessTokenFacts = {
  client: ClientRecord;
  grant: GrantRecord | undefined;
  sub: string;
  /** `aud`, in the order asked for. */
  audiences: string[];
  resourceServers: ResourceServerRecord[];
  scopes: string[];
  roles: string[];
  permissions: string[];
  /** The key the token is bound to; undefined: a bearer token. */
  jkt: string | undefined;
  issuerEpoch: number;
  iat: Seconds;
  exp: Seconds;
};

const opaquePrefix = 'tsa_';

type Tools = Pick<Context, 'config' | 'signingKeys' | 'rootKeys' | 'random' | 'nowMs'>;

/**
 * An access token: a JWT signed with the algorithm of its resource server, or, where the resource server wants opaque ones, the same claims sealed so that only
 * introspection reads them; neither leaves a row behind. It names nobody beyond `sub`. Source: RFC 9068 section 2, RFC 9449 section 6.
 */
export function issueAccessToken(tools: Tools, facts: AccessTokenFacts): string {
  const claims = accessTokenClaims(tools, facts);
  const server = facts.resourceServers[0];
  if (server?.tokenFormat === 'opaque')
    return opaquePrefix + seal(tools.rootKeys, 'access-token', claims, tools.random);
  if (server?.algorithm === 'HS256') return signHs256(tools, server, claims);
  return tools.signingKeys.sign(server?.algorithm ?? 'ES256', accessTokenType, claims);
}

function accessTokenClaims(tools: Tools, facts: AccessTokenFacts): AccessTokenClaims {
  const { client, grant, audiences } = facts;
  const claims: AccessTokenClaims = {
    iss: tools.config.issuer,
    sub: facts.sub,
    aud: audiences.length === 1 ? (audiences[0] as string) : audiences,
    client_id: client.clientId,
    jti: Buffer.from(tools.random(16)).toString('base64url'),
    iat: facts.iat,
    nbf: facts.iat,
    exp: facts.exp,
    scope: facts.scopes.join(' '),
  };
  if (grant) {
    claims.auth_time = grant.authTime;
    claims.acr = grant.acr;
    claims.amr = grant.amr;
    claims.grant_id = grant.grantId;
    // An offline grant outlives its session: its tokens must not die with that sid.
    if (grant.kind === 'session') claims.sid = grant.sid;
  }
  if (facts.roles.length > 0) claims.roles = facts.roles;
  if (facts.permissions.length > 0) claims.permissions = facts.permissions;
  if (facts.jkt !== undefined) claims.cnf = { jkt: facts.jkt };
  if (client.epoch > 0) claims.client_epoch = client.epoch;
  if (facts.issuerEpoch > 0) claims.issuer_epoch = facts.issuerEpoch;
  return claims;
}

/**
 * The claims of an access token that this issuer made, its expiry not judged; undefined for anything else, also for ID tokens and for tokens signed by a revoked
 * key. `resourceServers`: those whose own secret may have signed it.
 */
export function readAccessToken(
  tools: Pick<Context, 'config' | 'signingKeys' | 'rootKeys'>,
  resourceServers: readonly ResourceServerRecord[],
  token: string,
): AccessTokenClaims | undefined {
  if (token.startsWith(opaquePrefix))
    return unseal(tools.rootKeys, 'access-token', token.slice(opaquePrefix.length)) as AccessTokenClaims | undefined;
  const signed = tools.signingKeys.read(token) ?? readHs256(tools, resourceServers, token);
  if (!signed) return undefined;
  const { header, payload } = signed;
  if (header.typ?.toLowerCase() !== accessTokenType || header.crit !== undefined || payload.iss !== tools.config.issuer)
    return undefined;
  return payload as AccessTokenClaims;
}

function signHs256(tools: Tools, server: ResourceServerRecord, claims: AccessTokenClaims): string {
  const secret = resourceServerSecret(tools, server);
  if (!secret)
    throw new TypeError(
      `resource server "${server.resourceServerId}": its secret cannot be opened; check the root keys`,
    );
  const input = `${encodeJson({ alg: 'HS256', typ: accessTokenType })}.${encodeJson(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/**
 * What a token says that its resource server's own secret has signed. That API has the secret too and can sign whatever it likes: so the token must be for its audiences and nobody else's but the
 * issuer's (which userinfo belongs to), and nothing in it may be taken for granted. Source: RFC 8725 sections 3.8 and 3.9.
 */
function readHs256(
  tools: Pick<Context, 'config' | 'rootKeys'>,
  resourceServers: readonly ResourceServerRecord[],
  token: string,
): SignedToken | undefined {
  const decoded = decodeJwt(token);
  if (decoded?.header.alg !== 'HS256' || !areAccessTokenClaims(decoded.payload)) return undefined;
  const audiences = [decoded.payload.aud].flat();
  const server = resourceServers.find(
    (one) => one.algorithm === 'HS256' && audiences.some((audience) => one.audiences.includes(audience)),
  );
  const isItsOwn = audiences.every(
    (audience) => server?.audiences.includes(audience) || audience === tools.config.issuer,
  );
  const secret = server && isItsOwn ? resourceServerSecret(tools, server) : undefined;
  if (!secret) return undefined;
  const input = token.slice(0, token.lastIndexOf('.'));
  const isSigned = sameText(
    createHmac('sha256', secret).update(input).digest('base64url'),
    Buffer.from(decoded.signature).toString('base64url'),
  );
  return isSigned ? decoded : undefined;
}

const claimShapes = z.object({
  iss: z.string(),
  sub: z.string().max(255),
  aud: z.union([z.string(), z.array(z.string()).min(1)]),
  client_id: z.string().max(255),
  jti: z.string().max(255),
  iat: z.int(),
  nbf: z.int(),
  exp: z.int(),
  scope: z.string(),
  grant_id: z.string().max(255).optional(),
  sid: z.string().max(255).optional(),
  cnf: z.object({ jkt: z.string() }).optional(),
  client_epoch: z.int().optional(),
  issuer_epoch: z.int().optional(),
});

/** Whether a payload has every claim of an access token that is read here, each of its type. */
function areAccessTokenClaims(payload: object): payload is AccessTokenClaims {
  return claimShapes.safeParse(payload).success;
}

function resourceServerSecret(tools: Pick<Context, 'rootKeys'>, server: ResourceServerRecord): string | undefined {
  const opened = server.encryptedSecret && unseal(tools.rootKeys, 'stored-secret', server.encryptedSecret);
  return typeof opened === 'string' ? opened : undefined;
}
