import { parseScope } from '@tessera/protocol';
import type { DeclaredClient } from './config.ts';
import { type Finding, type Rule, rule } from './parse-section.ts';
import { given } from './problem.ts';
import { resolved } from './secret-value.ts';
import { hasPrivateUseScheme } from './url-rules.ts';

const none: Finding[] = [];

function found(key: keyof DeclaredClient, message: string): Finding[] {
  return [{ at: [key], message }];
}

function clientRule<const K extends keyof DeclaredClient>(
  reads: readonly K[],
  check: (client: Pick<DeclaredClient, K>) => Finding[],
): Rule<DeclaredClient> {
  return rule<DeclaredClient, K>(reads, check);
}

/** What must agree between the keys of one client. */
export const clientRules: readonly Rule<DeclaredClient>[] = [
  resolved('client_secret'),
  // A public client can keep no secret. Source: RFC 6749 section 2.1.
  clientRule(['token_endpoint_auth_method', 'client_secret'], (client) => {
    const method = client.token_endpoint_auth_method;
    const needsSecret = method === 'client_secret_basic' || method === 'client_secret_post';
    if (needsSecret && client.client_secret === undefined)
      return found('client_secret', `is missing; ${method} needs one, make it with: openssl rand -base64 32`);
    if (needsSecret || client.client_secret === undefined) return none;
    return found(
      'client_secret',
      method === 'none'
        ? 'stands in a public client (token_endpoint_auth_method "none"), which can keep no secret; leave one of the two out'
        : 'is not used by private_key_jwt; leave it out',
    );
  }),
  clientRule(['token_endpoint_auth_method', 'jwks'], ({ token_endpoint_auth_method: method, jwks }) => {
    if (method === 'private_key_jwt' && !jwks)
      return found('jwks', "is missing; private_key_jwt needs the app's public keys");
    return jwks && method !== 'private_key_jwt'
      ? found('jwks', `is used by private_key_jwt alone, not by ${method}`)
      : none;
  }),
  clientRule(['token_endpoint_auth_method', 'grant_types'], (client) =>
    client.token_endpoint_auth_method === 'none' && client.grant_types.includes('client_credentials')
      ? found(
          'grant_types',
          'has "client_credentials", which a public client cannot use; give it a client_secret or jwks',
        )
      : none,
  ),
  // A10, C8. Source: RFC 9700 section 4.14.2, OAuth 2.1 section 4.3.1.
  clientRule(['token_endpoint_auth_method', 'rotation'], (client) =>
    client.token_endpoint_auth_method === 'none' && !client.rotation
      ? found(
          'rotation',
          'false is refused for a public client: a stolen refresh token would stay good as long as its session; leave it true',
        )
      : none,
  ),
  // C9. Source: OAuth 2.1 section 7.5.1.
  clientRule(['token_endpoint_auth_method', 'pkce'], (client) =>
    client.token_endpoint_auth_method === 'none' && client.pkce === 'optional'
      ? found('pkce', '"optional" is refused for a public client: a stolen code would be enough; leave it "required"')
      : none,
  ),
  clientRule(['redirect_uris', 'grant_types'], ({ redirect_uris, grant_types }) => {
    const usesCode = grant_types.includes('authorization_code');
    if (usesCode && redirect_uris.length === 0)
      return found(
        'redirect_uris',
        'is empty; authorization_code needs at least one, such as "https://app.example.com/callback"',
      );
    return !usesCode && redirect_uris.length > 0
      ? found(
          'redirect_uris',
          'is used by authorization_code alone, which grant_types lacks; add it or leave redirect_uris out',
        )
      : none;
  }),
  clientRule(['grant_types'], ({ grant_types }) =>
    grant_types.includes('refresh_token') && !grant_types.includes('authorization_code')
      ? found(
          'grant_types',
          'has "refresh_token" without "authorization_code", which alone issues refresh tokens; add it or leave both out',
        )
      : none,
  ),
  // Only a native app can own a scheme, and a native app is public. Source: RFC 8252 sections 7.1 and 8.4.
  clientRule(['token_endpoint_auth_method', 'redirect_uris'], (client) =>
    privateUseSchemes(client.token_endpoint_auth_method, 'redirect_uris', client.redirect_uris),
  ),
  clientRule(['token_endpoint_auth_method', 'post_logout_redirect_uris'], (client) =>
    privateUseSchemes(client.token_endpoint_auth_method, 'post_logout_redirect_uris', client.post_logout_redirect_uris),
  ),
  // A4: nothing is kept that a refresh could be checked against.
  clientRule(['strategy', 'grant_types'], ({ strategy, grant_types }) =>
    strategy === 'stateless' && grant_types.includes('refresh_token')
      ? found(
          'grant_types',
          'has "refresh_token", which strategy "stateless" excludes; leave it out or choose another strategy',
        )
      : none,
  ),
  clientRule(['strategy', 'offlineAccess'], ({ strategy, offlineAccess }) =>
    strategy === 'stateless' && offlineAccess
      ? found('offlineAccess', 'true is excluded by strategy "stateless"; leave it out or choose another strategy')
      : none,
  ),
  clientRule(['strategy', 'grant_types', 'offlineAccess'], ({ strategy, grant_types, offlineAccess }) =>
    strategy !== 'stateless' && offlineAccess && !grant_types.includes('refresh_token')
      ? found('offlineAccess', 'true needs "refresh_token" in grant_types; add it or leave offlineAccess out')
      : none,
  ),
  clientRule(['scope', 'offlineAccess'], ({ scope, offlineAccess }) =>
    !offlineAccess && parseScope(scope)?.includes('offline_access')
      ? found(
          'scope',
          'has "offline_access", which offlineAccess does not allow; set offlineAccess: true or leave it out',
        )
      : none,
  ),
  clientRule(['strategy', 'lifetimes'], ({ strategy, lifetimes }) => {
    const slides = strategy === 'sliding' || strategy === 'sliding-revocable';
    if (slides && lifetimes.idle === null)
      return [
        {
          at: ['lifetimes', 'idle'],
          message: `null does not slide, and strategy ${given(strategy)} does; choose "server-backed" or a number`,
        },
      ];
    if (!slides && typeof lifetimes.idle === 'number')
      return [
        {
          at: ['lifetimes', 'idle'],
          message: `${lifetimes.idle} has no effect: strategy ${given(strategy)} does not slide; use absolute, or a strategy that slides`,
        },
      ];
    return none;
  }),
  clientRule(['lifetimes'], ({ lifetimes: { idle, absolute } }) =>
    typeof idle === 'number' && absolute !== undefined && idle > absolute
      ? [
          {
            at: ['lifetimes', 'idle'],
            message: `${idle} is longer than absolute (${absolute}), which ends the grant first; at most ${absolute} makes sense`,
          },
        ]
      : none,
  ),
  clientRule(['defaultResources', 'resources'], ({ defaultResources, resources }) =>
    resources === 'any'
      ? none
      : defaultResources.flatMap((audience, index) =>
          resources.includes(audience)
            ? none
            : [{ at: ['defaultResources', index], message: `${given(audience)} is not among resources; add it there` }],
        ),
  ),
];

function privateUseSchemes(
  method: DeclaredClient['token_endpoint_auth_method'],
  key: 'redirect_uris' | 'post_logout_redirect_uris',
  uris: readonly string[],
): Finding[] {
  if (method === 'none') return none;
  return uris.flatMap((uri, index) =>
    hasPrivateUseScheme(uri)
      ? [
          {
            at: [key, index],
            message: `${given(uri)} has a private-use scheme, which only a public client (a native app) may use; use https`,
          },
        ]
      : none,
  );
}
