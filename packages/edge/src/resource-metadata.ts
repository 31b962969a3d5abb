import { dpopAlgorithms } from '@tessera/protocol';

/** The metadata of a protected resource. Source: RFC 9728 section 2. */
export type ProtectedResourceMetadata = {
  resource: string;
  authorization_servers: string[];
  bearer_methods_supported: ['header'];
  scopes_supported?: string[];
  resource_name?: string;
  resource_documentation?: string;
  dpop_signing_alg_values_supported: string[];
  dpop_bound_access_tokens_required?: true;
};

/** What the API says of itself. `resource` is its identifier: the URL that clients name as `resource` and find as `aud`. */
export type ResourceDescription = {
  resource: string;
  issuer: string;
  scopesSupported?: readonly string[];
  name?: string;
  documentation?: string;
  isDpopRequired: boolean;
};

/** The metadata document of an API. Tokens are taken from the header alone, so that is the only bearer method. Source: RFC 9728 section 2. */
export function resourceMetadataOf(description: ResourceDescription): ProtectedResourceMetadata {
  const { resource, issuer, scopesSupported, name, documentation, isDpopRequired } = description;
  return {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    ...(scopesSupported ? { scopes_supported: [...scopesSupported] } : {}),
    ...(name === undefined ? {} : { resource_name: name }),
    ...(documentation === undefined ? {} : { resource_documentation: documentation }),
    dpop_signing_alg_values_supported: [...dpopAlgorithms],
    ...(isDpopRequired ? { dpop_bound_access_tokens_required: true } : {}),
  };
}

/** Where the metadata of a resource stands: the well-known part goes between its host and its path. Source: RFC 9728 section 3.1. */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`;
}
