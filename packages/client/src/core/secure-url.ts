import { TesseraClientError } from './errors.ts';

/**
 * Tells whether secrets may travel to an address: https anywhere, plain http only on the loopback interface, where no network is crossed.
 * Source: OAuth 2.1 section 1.5, RFC 8252 section 8.3.
 */
export function isSecureUrl(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** Parses an address and throws `insecure_url` unless secrets may travel there. `what` names it in the message. */
export function parseSecureUrl(text: string | URL, what: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError(`${what} must be a whole URL such as https://example.com, got ${shown(text)}`);
  }
  if (isSecureUrl(url)) return url;
  throw new TesseraClientError(
    'insecure_url',
    `${what} must be https, or http on the loopback interface; its origin is ${url.origin}`,
  );
}

/**
 * Parses the address of a redirect: one that secrets may travel to, or a private-use URI of a native app such as `com.example.app:/callback`, whose scheme holds a dot.
 * Source: RFC 8252 section 7.1.
 */
export function parseRedirectUri(text: string, what: string): URL {
  if (URL.canParse(text) && /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(new URL(text).protocol)) return new URL(text);
  return parseSecureUrl(text, what);
}

/** What was given, short: a URL may carry what does not belong into a message. */
function shown(text: unknown): string {
  return typeof text === 'string' ? JSON.stringify(text.split(/[?#]/, 1)[0]?.slice(0, 100)) : String(text);
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}
