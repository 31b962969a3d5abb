import { createPublicKey } from 'node:crypto';
import { day, formatScope, minute, parseScope } from '@tessera/protocol';
import type { JWK } from 'jose';
import * as z from 'zod';
import { clientRules } from './client-rules.ts';
import type { DeclaredClient } from './config.ts';
import { applyRules, type Parsed, parseSection, type Values } from './parse-section.ts';
import { given, type Path } from './problem.ts';
import { secretValue, weaknessOf } from './secret-value.ts';
import { audienceProblem, logoUrlProblem, pageUrlProblem, redirectUriProblem } from './url-rules.ts';
import { choice, distinct, flag, line, list, seconds, section, text } from './value-schemas.ts';

/** The longest idle and absolute limits: ten years. */
export const longestLimit = 3650 * day;

/** The longest retry window of a rotated refresh token. */
export const longestRetryWindow = 5 * minute;

/** The keys of `clients[]`; names of RFC 7591 section 2 keep their spelling. */
export const clientShape = {
  client_id: text('a client_id', (value) =>
    /^[\x21-\x7e]{1,255}$/.test(value)
      ? undefined
      : `${given(value)} is not a client_id; expected 1 to 255 printable ASCII characters without spaces`,
  ).meta({
    description: 'What the app calls itself in requests.',
    allowed: '1 to 255 printable ASCII characters without spaces',
    example: 'web',
  }),
  client_name: line(120).exactOptional().meta({
    description: 'Its name on the sign-in and consent pages.',
    allowed: 'text of at most 120 characters',
    defaultText: 'the `client_id`',
    example: 'Web shop',
  }),
  client_secret: secretValue((value) => weaknessOf(value, 128))
    .exactOptional()
    .meta({
      description: 'The secret of a confidential app. Only a keyed digest of it is stored.',
      allowed: '128 random bits or more (`openssl rand -base64 32`): text, { env: NAME } or { file: PATH }',
      defaultText: 'none',
      example: { env: 'WEB_CLIENT_SECRET' },
    }),
  token_endpoint_auth_method: choice(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'])
    .exactOptional()
    .meta({
      description:
        'How the app proves who it is. `none`: a public app, one that runs where its users are and can keep no secret.',
      defaultText: '`client_secret_basic` with a `client_secret`, `private_key_jwt` with `jwks`, else `none`',
      example: 'none',
    }),
  jwks: section({
    keys: list(z.unknown())
      .superRefine((keys, context) => {
        if (keys.length === 0)
          context.addIssue({ code: 'custom', message: 'is empty; expected at least one public key' });
        for (const [index, key] of keys.entries()) {
          const message = publicKeyProblem(key);
          if (message !== undefined) context.addIssue({ code: 'custom', path: [index], message });
        }
      })
      .meta({
        description: 'Public keys, as JWKs.',
        allowed: 'a list of public EC, Ed25519 or RSA (2048 bits or more) keys',
        example: [],
      }),
  })
    .exactOptional()
    .meta({ description: "The app's public keys, for `private_key_jwt`.", allowed: 'a JWK Set', defaultText: 'none' }),
  redirect_uris: distinct(text('an absolute URI', redirectUriProblem))
    .default([])
    .meta({
      description:
        'Where users may be sent back to after sign-in, compared character by character (on loopback whatever the port). A native app may use a scheme of its own, such as `com.example.app:/callback`.',
      allowed: 'a list of https URLs, http URLs on loopback, or for a public app private-use URIs',
      example: ['https://shop.example.com/callback'],
    }),
  post_logout_redirect_uris: distinct(text('an absolute URI', redirectUriProblem))
    .default([])
    .meta({
      description: 'Where users may be sent back to after sign-out.',
      allowed: 'as `redirect_uris`',
      example: ['https://shop.example.com/'],
    }),
  grant_types: distinct(choice(['authorization_code', 'refresh_token', 'client_credentials']))
    .exactOptional()
    .meta({
      description: 'What the app may do at the token endpoint.',
      allowed: 'a list of `authorization_code`, `refresh_token`, `client_credentials`',
      defaultText:
        '`[authorization_code, refresh_token]` for a public app or one with `redirect_uris` (without `refresh_token` if stateless), else `[client_credentials]`',
      example: ['authorization_code', 'refresh_token'],
    }),
  scope: text('scopes with spaces between', (value) =>
    parseScope(value)
      ? undefined
      : `${given(value)} has a character that scopes cannot have; expected scopes with single spaces between`,
  )
    .exactOptional()
    .meta({
      description: 'The scopes it may be granted. `offline_access` comes with `offlineAccess`.',
      allowed: 'scopes with spaces between',
      defaultText: '`openid profile email` for apps that sign users in, else none',
      example: 'openid profile email orders:read',
    }),
  id_token_signed_response_alg: choice(['RS256', 'ES256', 'EdDSA'])
    .default('RS256')
    .meta({ description: 'How its ID tokens are signed.' }),
  logo_uri: text('a URL', logoUrlProblem).exactOptional().meta({
    description: 'Its logo.',
    allowed: 'an https URL or a data:image/ URL',
    defaultText: 'none',
    example: 'https://shop.example.com/logo.svg',
  }),
  policy_uri: text('a URL', pageUrlProblem).exactOptional().meta({
    description: 'Its privacy policy, linked on the consent page.',
    allowed: 'an https URL',
    defaultText: 'none',
    example: 'https://shop.example.com/privacy',
  }),
  tos_uri: text('a URL', pageUrlProblem).exactOptional().meta({
    description: 'Its terms of service, linked on the consent page.',
    allowed: 'an https URL',
    defaultText: 'none',
    example: 'https://shop.example.com/terms',
  }),
  defaultResources: distinct(text('an absolute URI', audienceProblem))
    .default([])
    .meta({
      description: 'The audiences of its access tokens when a request names none by `resource`. Empty: the issuer.',
      allowed: 'a list of audiences of resource servers in this file',
      example: ['https://api.example.com/orders'],
    }),
  resources: z
    .union([z.literal('any'), distinct(text('an absolute URI', audienceProblem))], {
      error: ({ input }) => `expected "any" or a list of audiences, got ${given(input)}`,
    })
    .default('any')
    .meta({
      description: 'The audiences it may ask for.',
      allowed: '`any`, or a list of audiences of resource servers in this file',
      example: 'any',
    }),
  strategy: choice(['stateless', 'server-backed', 'sliding', 'sliding-revocable']).default('sliding-revocable').meta({
    description:
      'How it keeps people signed in. `stateless`: access tokens alone, each good until it expires. `server-backed`: refresh tokens of a fixed life, revocable. `sliding`: each use extends, until the session ends. `sliding-revocable`: each use extends, up to an absolute limit of its own.',
  }),
  lifetimes: section({
    accessToken: seconds(1, day).exactOptional().meta({
      description: 'Lifetime of its access tokens.',
      defaultText: 'that of the resource server, else `lifetimes.accessToken`',
      example: 900,
    }),
    idle: seconds(1, longestLimit)
      .nullable()
      .exactOptional()
      .meta({
        description: 'How long a grant lives unused; only for strategies that slide. null: it does not slide.',
        allowed: `1 to ${longestLimit}, or null`,
        defaultText: '`lifetimes.idle`',
        example: 604_800,
      }),
    absolute: seconds(1, longestLimit).exactOptional().meta({
      description: 'How long a grant lives at the most, however often it is used.',
      defaultText: '`lifetimes.absolute`; for `server-backed` `lifetimes.idle`',
      example: 7_776_000,
    }),
    retryWindow: seconds(0, longestRetryWindow).exactOptional().meta({
      description:
        'How long a rotated refresh token still returns its successor, for lost answers and parallel tabs; 0 turns it off.',
      defaultText: '`lifetimes.retryWindow`',
      example: 30,
    }),
  })
    .default({})
    .meta({ description: "The app's own lifetimes." }),
  rotation: flag().default(true).meta({
    description: 'Whether each refresh replaces the refresh token. Only a confidential app may go without.',
  }),
  pkce: choice(['required', 'optional']).default('required').meta({
    description: 'Whether sign-in needs PKCE (S256). Only for a confidential app may it be optional.',
  }),
  dpop: choice(['required', 'optional'])
    .default('optional')
    .meta({ description: 'Whether its tokens must be bound to a key (RFC 9449).' }),
  consent: choice(['ask', 'skip'])
    .default('ask')
    .meta({ description: "Whether users are asked what it may do. `skip` only for the operator's own apps." }),
  offlineAccess: flag().default(false).meta({
    description: 'Whether users may grant `offline_access`: refresh tokens that survive sign-out of the browser.',
  }),
  disabled: flag()
    .default(false)
    .meta({ description: 'A disabled app gets no tokens, and its refresh tokens are refused.' }),
};

/** Reads one entry of `clients`. */
export function parseClient(raw: unknown, path: Path): Parsed<DeclaredClient> {
  const parsed = parseSection(clientShape, raw, path);
  const { client, broken } = completeClient(parsed.value, parsed.broken);
  const problems = [...parsed.problems, ...applyRules(clientRules, client, broken, path)];
  return { value: client, broken, problems };
}

/** Puts in what follows from other keys. What would follow from a wrong key counts as wrong too, so that no rule speaks of a guess. */
function completeClient(
  value: Partial<Values<typeof clientShape>>,
  wrong: ReadonlySet<string>,
): { client: Partial<DeclaredClient>; broken: Set<string> } {
  const client = { ...value } as Partial<DeclaredClient>;
  const broken = new Set(wrong);
  const derive = <K extends keyof DeclaredClient>(
    key: K,
    from: (keyof DeclaredClient)[],
    make: () => DeclaredClient[K],
  ) => {
    if (client[key] !== undefined || broken.has(key)) return;
    if (from.some((source) => broken.has(source))) broken.add(key);
    else client[key] = make();
  };
  derive('client_name', ['client_id'], () => client.client_id ?? '');
  derive('token_endpoint_auth_method', ['client_secret', 'jwks'], () => {
    if (client.client_secret !== undefined) return 'client_secret_basic';
    return client.jwks ? 'private_key_jwt' : 'none';
  });
  derive('grant_types', ['token_endpoint_auth_method', 'redirect_uris', 'strategy'], () => {
    const signsUsersIn = client.token_endpoint_auth_method === 'none' || client.redirect_uris?.length !== 0;
    if (!signsUsersIn) return ['client_credentials'];
    return client.strategy === 'stateless' ? ['authorization_code'] : ['authorization_code', 'refresh_token'];
  });
  derive('scope', ['grant_types'], () =>
    client.grant_types?.includes('authorization_code') ? 'openid profile email' : '',
  );
  if (client.scope !== undefined && client.offlineAccess === true)
    client.scope = formatScope([...new Set([...(parseScope(client.scope) ?? []), 'offline_access'])]);
  return { client, broken };
}

/** What is wrong with a public key of a client, or undefined. Source: RFC 7517 section 4, RFC 7518 section 6. */
function publicKeyProblem(key: unknown): string | undefined {
  if (typeof key !== 'object' || key === null) return 'is not a JWK; expected a section with kty and the public key';
  const jwk = key as JWK;
  if (jwk.kty === 'oct') return 'is a symmetric key; private_key_jwt needs a public key';
  const secretMember = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].find((member) => member in jwk);
  if (secretMember)
    return `holds the private member ${given(secretMember)}; give the public key alone, and replace this one`;
  if (jwk.use !== undefined && jwk.use !== 'sig') return `has use ${given(jwk.use)}; expected a key for signatures`;
  const kind = jwk.kty === 'RSA' ? 'RSA' : `${jwk.kty} ${jwk.crv}`;
  if (!['RSA', 'EC P-256', 'EC P-384', 'EC P-521', 'OKP Ed25519'].includes(kind))
    return `is a key of kind ${given(kind)}; expected RSA, EC (P-256, P-384, P-521) or OKP (Ed25519)`;
  try {
    const bits = createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyDetails?.modulusLength;
    if (bits !== undefined && bits < 2048) return `is an RSA key of ${bits} bits; at least 2048 are needed`;
  } catch {
    return `is not a valid ${jwk.kty} key; expected a public key as a JWK`;
  }
  return undefined;
}
