import { type Refused, refused } from './verification.ts';

/**
 * What the edge needs to know of a request. The middlewares gather it; a gateway may do so itself. `url` is the full URL as the client wrote it,
 * with its query: a DPoP proof names it. `authorization` and `dpop` hold every value of the header, since a second one must be noticed. One object is one request:
 * where the same is judged twice (for a router, then for a route), its DPoP proof is no replay of itself.
 */
export type RequestFacts = {
  method: string;
  url: string;
  authorization: readonly string[];
  dpop: readonly string[];
  /** Where the request came from, for the log: the peer's address. */
  source?: string;
};

/** A token as it was presented, nothing verified. */
export type Credentials = { ok: true; scheme: 'Bearer' | 'DPoP'; token: string };

/** Longer tokens are refused unread; headers beyond 16 KiB are refused by most servers anyway. */
export const largestTokenBytes = 16_384;

/**
 * Reads the access token from the Authorization header, the only place it may stand in: a token in the URL refuses the request even beside a good
 * header, a form body is never looked at, and two headers are ambiguous. Reasons: `token_missing`, `token_in_query`, `malformed_request`,
 * `token_malformed`. Source: RFC 6750 sections 2 and 3.1, OAuth 2.1 section 5.1, RFC 9449 section 7.1.
 */
export function readCredentials(request: RequestFacts): Credentials | Refused {
  if (hasTokenInQuery(request.url)) return refused('token_in_query');
  const [authorization, ...others] = request.authorization;
  if (others.length > 0) return refused('malformed_request', 'there are several Authorization headers');
  if (authorization === undefined || authorization.trim() === '') return refused('token_missing');
  const [, scheme = '', credentials = ''] =
    /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: +(.*))?$/.exec(authorization.trim()) ?? [];
  const known = { bearer: 'Bearer', dpop: 'DPoP' } as const;
  const name = scheme.toLowerCase();
  if (name !== 'bearer' && name !== 'dpop')
    return refused('token_missing', 'the Authorization header has another scheme');
  if (credentials.length > largestTokenBytes) return refused('token_malformed', 'the token is too long');
  // RFC 6750 section 2.1, b64token: no comma or space, so two joined headers cannot pass as one token.
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(credentials))
    return refused('malformed_request', 'the Authorization header is not a scheme and one token');
  return { ok: true, scheme: known[name], token: credentials };
}

function hasTokenInQuery(url: string): boolean {
  const start = url.indexOf('?');
  if (start === -1) return false;
  const [query] = url.slice(start + 1).split('#', 1);
  return new URLSearchParams(query).has('access_token');
}
