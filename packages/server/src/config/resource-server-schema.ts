import { accessTokenAlgorithms, day } from '@tessera/protocol';
import type { DeclaredResourceServer } from './config.ts';
import { applyRules, type Parsed, parseSection, rule } from './parse-section.ts';
import { given, type Path } from './problem.ts';
import { resolved, secretValue, weaknessOf } from './secret-value.ts';
import { audienceProblem } from './url-rules.ts';
import { tokenProblem } from './user-schema.ts';
import { choice, distinct, line, named, seconds, section, text } from './value-schemas.ts';

/** Scopes that OpenID Connect gives a meaning. Source: OpenID Connect Core 1.0 sections 5.4 and 11. */
const openidScopes = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'];

const role = text('a role', tokenProblem);

const scope = text('a scope', (value) =>
  openidScopes.includes(value)
    ? 'is a scope of OpenID Connect and belongs to no resource server; choose another name'
    : tokenProblem(value),
);

/** The keys of `resourceServers[]`. */
export const resourceServerShape = {
  id: text('an id', (value) =>
    /^[A-Za-z0-9._~-]{1,128}$/.test(value)
      ? undefined
      : `${given(value)} is not an id; expected 1 to 128 letters, digits and . _ ~ -`,
  ).meta({
    description: 'Its name in URLs of the admin API and in logs.',
    allowed: '1 to 128 letters, digits and . _ ~ -',
    example: 'orders',
  }),
  name: line(120).exactOptional().meta({
    description: 'Its name for people.',
    allowed: 'text of at most 120 characters',
    defaultText: 'the id',
    example: 'Orders',
  }),
  audiences: distinct(text('an absolute URI', audienceProblem))
    .min(1, { error: 'is empty; expected at least one audience, such as "https://api.example.com"' })
    .meta({
      description:
        'The identifiers of its APIs: what apps name by `resource` (RFC 8707) and what stands in `aud`. Unique among all resource servers.',
      allowed: 'a list of absolute URIs without fragment',
      example: ['https://api.example.com/orders'],
    }),
  scopes: named(
    scope,
    section({
      description: line(200).exactOptional().meta({
        description: 'What the scope allows, in words for the consent page.',
        allowed: 'text of at most 200 characters',
        defaultText: 'the technical name alone',
        example: 'See your orders',
      }),
    }),
  )
    .default({})
    .meta({
      description: 'Its scopes, each with words for the consent page.',
      allowed: 'scope: { description: … }',
      example: { 'orders:read': { description: 'See your orders' } },
    }),
  roles: named(role, distinct(text('a scope or permission', tokenProblem)))
    .default({})
    .meta({
      description:
        'The permission rules: role → scopes and other permissions. A scope that stands here is granted only to users with such a role; one that stands nowhere here, to everybody.',
      allowed: 'role: [scope, …]',
      example: { clerk: ['orders:write'] },
    }),
  accessTokenLifetime: seconds(1, day).exactOptional().meta({
    description: 'Lifetime of access tokens for it; where the app sets one too, the shorter counts.',
    defaultText: 'that of the app, else `lifetimes.accessToken`',
    example: 300,
  }),
  tokenFormat: choice(['jwt', 'opaque']).default('jwt').meta({
    description: '`jwt`: its APIs verify the signature themselves. `opaque`: they can only ask (introspection).',
  }),
  algorithm: choice(accessTokenAlgorithms)
    .default('ES256')
    .meta({ description: 'How its access tokens are signed. `HS256` needs a `secret` of its own.' }),
  secret: secretValue((value) => weaknessOf(value, 256))
    .exactOptional()
    .meta({
      description:
        'The key for `HS256`: the bytes of this text. Nobody but its APIs may know it: who does can make tokens for them, and for nothing else.',
      allowed: '256 random bits or more (`openssl rand -base64 32`): text, { env: NAME } or { file: PATH }',
      defaultText: 'none',
      example: { env: 'ORDERS_SECRET' },
    }),
  clients: distinct(text('a client_id', () => undefined))
    .default([])
    .meta({
      description: 'Clients that act for it: they may introspect its tokens and receive its revocation feed.',
      allowed: 'a list of `client_id`s of confidential clients in this file',
      example: ['orders-api'],
    }),
};

/** Reads one entry of `resourceServers`. */
export function parseResourceServer(raw: unknown, path: Path): Parsed<DeclaredResourceServer> {
  const { value, broken, problems } = parseSection(resourceServerShape, raw, path);
  const server = { ...value } as Partial<DeclaredResourceServer>;
  if (server.name === undefined && server.id !== undefined) server.name = server.id;
  problems.push(...applyRules(resourceServerRules, server, broken, path));
  return { value: server, broken, problems };
}

const resourceServerRules = [
  resolved<DeclaredResourceServer, 'secret'>('secret'),
  rule<DeclaredResourceServer, 'algorithm' | 'secret'>(['algorithm', 'secret'], ({ algorithm, secret }) => {
    if (algorithm === 'HS256' && secret === undefined)
      return [
        {
          at: ['secret'],
          message: 'is missing; HS256 needs a secret of 256 bits, make one with: openssl rand -base64 32',
        },
      ];
    if (algorithm !== 'HS256' && secret !== undefined)
      return [{ at: ['secret'], message: `is used by HS256 alone; leave it out with ${algorithm}` }];
    return [];
  }),
  rule<DeclaredResourceServer, 'algorithm' | 'tokenFormat'>(['algorithm', 'tokenFormat'], (server) =>
    server.algorithm === 'HS256' && server.tokenFormat === 'opaque'
      ? [{ at: ['algorithm'], message: '"HS256" signs JWTs, and tokenFormat is "opaque"; leave one of the two out' }]
      : [],
  ),
];
