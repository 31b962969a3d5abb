import { isLoopbackHost } from '@tessera/protocol';

/**
 * True when the redirect URI is one of the registered ones: the same text, except that on a loopback address any port matches, because a native app gets its port from the system when
 * it starts. Source: OAuth 2.1 sections 2.3.1 and 8.4.2, RFC 8252 section 7.3, RFC 9700 section 2.1.
 */
export function isRegisteredRedirectUri(registered: readonly string[], redirectUri: string): boolean {
  return registered.includes(redirectUri) || registered.some((one) => isSameButPort(one, redirectUri));
}

function isSameButPort(registered: string, given: string): boolean {
  const [a, b] = [URL.parse(registered), URL.parse(given)];
  if (!a || !b || a.protocol !== 'http:' || !isLoopbackHost(a.hostname)) return false;
  // Only the literal addresses float: "localhost" may be pointed elsewhere (RFC 8252 section 8.3).
  if (a.hostname === 'localhost' || a.hostname.endsWith('.localhost')) return false;
  // The text must be what a URL parser writes, so that nothing hides in another spelling.
  if (b.href !== given && b.href !== `${given}/`) return false;
  return withoutPort(a) === withoutPort(b) && b.username === '' && b.password === '' && b.hash === '';
}

function withoutPort(url: URL): string {
  return `${url.protocol}//${url.hostname}${url.pathname}${url.search}`;
}
