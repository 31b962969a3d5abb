import { isLoopbackHost } from '@tessera/protocol';

/** Where a redirect ends, as one may tell a person: a host on the web, a program listening on this computer, or an app by its URL scheme. */
export type Landing =
  | { readonly kind: 'host'; readonly place: string }
  | { readonly kind: 'program' }
  | { readonly kind: 'app'; readonly place: string };

/**
 * Reads where a `redirect_uri` leads. Hosts come in their ASCII form, so that no look-alike letters pass. Undefined when it is no URI.
 * Source: RFC 8252 sections 7.1 to 7.3.
 */
export function landingOf(redirectUri: string): Landing | undefined {
  const url = URL.parse(redirectUri);
  if (url === null) return undefined;
  if (!isWeb(url)) return { kind: 'app', place: url.protocol.slice(0, -1) };
  return isLoopbackHost(url.hostname) ? { kind: 'program' } : { kind: 'host', place: url.host };
}

/** A client's address as a link on the web; undefined unless it is http or https, since a `javascript:` address would run here. */
export function webLink(address: string | undefined): string | undefined {
  const url = address === undefined ? null : URL.parse(address);
  return url !== null && isWeb(url) ? url.href : undefined;
}

/**
 * As `webLink`, and also an app's own scheme if it is a domain name turned round, such as `com.example.app:/done`; the browser's own schemes have
 * no dot. Source: RFC 8252 section 7.1.
 */
export function appLink(address: string | undefined): string | undefined {
  const url = address === undefined ? null : URL.parse(address);
  return url !== null && (isWeb(url) || url.protocol.includes('.')) ? url.href : undefined;
}

function isWeb(url: URL): boolean {
  return url.protocol === 'https:' || url.protocol === 'http:';
}
