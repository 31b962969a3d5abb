import { formatScope, type Seconds } from '@tessera/protocol';
import type { ClientMetadata } from '../config/client-record.ts';
import { secretEnds } from '../secrets/client-secret-overlap.ts';
import type { ClientRecord } from '../store/records.ts';

/** A client as administrators see one. */
export type Client = ClientMetadata & {
  version: number;
  /** How often everything of it was cut off. */
  epoch: number;
  /** True: the configuration file declares it, and it alone changes it. */
  declared: boolean;
  createdAt: number;
  updatedAt: number;
  /** Its secrets, newest first: until when each is good; null: without end. */
  secrets: { until: number | null }[];
};

/** A client's metadata out of its record. */
export function metadataOf(record: ClientRecord): ClientMetadata {
  return {
    client_id: record.clientId,
    client_name: record.name,
    token_endpoint_auth_method: record.authMethod,
    ...(record.jwks.length === 0 ? {} : { jwks: { keys: record.jwks } }),
    redirect_uris: record.redirectUris,
    post_logout_redirect_uris: record.postLogoutRedirectUris,
    grant_types: record.grantTypes,
    scope: formatScope(record.scopes),
    id_token_signed_response_alg: record.idTokenAlgorithm,
    ...(record.logoUri === undefined ? {} : { logo_uri: record.logoUri }),
    ...(record.policyUri === undefined ? {} : { policy_uri: record.policyUri }),
    ...(record.tosUri === undefined ? {} : { tos_uri: record.tosUri }),
    defaultResources: record.defaultResources,
    resources: record.resources,
    strategy: record.strategy,
    lifetimes: record.lifetimes,
    rotation: record.rotation,
    pkce: record.pkce,
    dpop: record.dpop,
    consent: record.consent,
    offlineAccess: record.offlineAccess,
    disabled: record.disabled,
  };
}

/** A client without what nobody may see. */
export function viewClient(record: ClientRecord, now: Seconds): Client {
  const { version, epoch, declared, createdAt, updatedAt, secretDigests } = record;
  return {
    ...metadataOf(record),
    version,
    epoch,
    declared,
    createdAt,
    updatedAt,
    secrets: secretEnds(secretDigests, now).map((until) => ({ until })),
  };
}
