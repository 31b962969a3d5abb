import { parseScope } from '@tessera/protocol';
import type { ClientRecord } from '../store/records.ts';
import type { DeclaredClient } from './config.ts';

/** A client's metadata as the configuration file spells them; the secret is never among them. */
export type ClientMetadata = Omit<DeclaredClient, 'client_secret'>;

/** What a client's record holds of its metadata. */
export function recordFieldsOf(
  metadata: ClientMetadata,
): Omit<ClientRecord, 'version' | 'secretDigests' | 'epoch' | 'declared' | 'createdAt' | 'updatedAt'> {
  return {
    clientId: metadata.client_id,
    name: metadata.client_name,
    authMethod: metadata.token_endpoint_auth_method,
    jwks: metadata.jwks?.keys ?? [],
    redirectUris: metadata.redirect_uris,
    postLogoutRedirectUris: metadata.post_logout_redirect_uris,
    grantTypes: metadata.grant_types,
    scopes: parseScope(metadata.scope) ?? [],
    idTokenAlgorithm: metadata.id_token_signed_response_alg,
    ...(metadata.logo_uri === undefined ? {} : { logoUri: metadata.logo_uri }),
    ...(metadata.policy_uri === undefined ? {} : { policyUri: metadata.policy_uri }),
    ...(metadata.tos_uri === undefined ? {} : { tosUri: metadata.tos_uri }),
    defaultResources: metadata.defaultResources,
    resources: metadata.resources,
    strategy: metadata.strategy,
    lifetimes: metadata.lifetimes,
    rotation: metadata.rotation,
    pkce: metadata.pkce,
    dpop: metadata.dpop,
    consent: metadata.consent,
    offlineAccess: metadata.offlineAccess,
    disabled: metadata.disabled,
  };
}
