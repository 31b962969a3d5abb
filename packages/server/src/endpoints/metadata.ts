import { setTimeout as sleep } from 'node:timers/promises';
import { dpopAlgorithms } from '@tessera/protocol';
import { passwordAcr } from '../authenticators/password.ts';
import type { Context } from '../context.ts';
import { grantTypes } from '../grants/grant-types.ts';
import type { Output } from '../http/message.ts';
import { supportedLanguages } from '../pages/index.ts';
import { signingAlgorithms } from '../tokens/signing-keys.ts';
import { openIdScopes, supportedClaims } from '../tokens/user-claims.ts';

const clientAuthMethods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const assertionAlgorithms = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'];

/**
 * The discovery document, the same for OpenID Connect and for OAuth. Source: OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2, RFC 9207 section 3, RFC 9449 section 5.1,
 * OpenID Connect RP-Initiated Logout 1.0 section 2.1. `tessera_revocation_feed_endpoint` is ours.
 */
export async function metadataEndpoint(context: Context): Promise<Output> {
  const { issuer } = context.config;
  const servers = await context.registry.resourceServers();
  return publicDocument({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    end_session_endpoint: `${issuer}/end-session`,
    tessera_revocation_feed_endpoint: `${issuer}/events/poll`,
    scopes_supported: [...openIdScopes, ...new Set(servers.flatMap((one) => Object.keys(one.scopes)))],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    grant_types_supported: grantTypes.map((one) => one.grantType),
    code_challenge_methods_supported: ['S256'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...signingAlgorithms],
    token_endpoint_auth_methods_supported: [...clientAuthMethods, 'none'],
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint_auth_methods_supported: clientAuthMethods,
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    revocation_endpoint_auth_methods_supported: [...clientAuthMethods, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    dpop_signing_alg_values_supported: [...dpopAlgorithms],
    acr_values_supported: [passwordAcr],
    claims_supported: supportedClaims,
    claims_parameter_supported: true,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    authorization_response_iss_parameter_supported: true,
    prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    ui_locales_supported: [...supportedLanguages],
  });
}

/** How long, in milliseconds, the key set waits for a store that does not answer. */
const catchUpMs = 500;

/** The issuer's public keys. Source: RFC 7517 section 5. */
export async function jwksEndpoint(context: Context): Promise<Output> {
  // Whoever asks may have met a key that another node made a moment ago. Without the store, what is known must do.
  const caughtUp = context.follower.catchUp().catch(() => undefined);
  await Promise.race([caughtUp, sleep(catchUpMs, undefined, { ref: false })]);
  return publicDocument(context.signingKeys.publicJwks(), 'application/jwk-set+json');
}

/** A document for everybody: verifiers may keep it for five minutes, which is less than a new key is announced ahead. */
function publicDocument(document: object, contentType = 'application/json'): Output {
  return {
    status: 200,
    headers: { 'content-type': contentType, 'cache-control': 'public, max-age=300' },
    body: JSON.stringify(document),
  };
}
