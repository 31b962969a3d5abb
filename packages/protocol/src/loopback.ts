/** True when the URL's host is this machine itself: `localhost`, a name under it, 127.0.0.0/8 or ::1. Source: RFC 8252 section 7.3, RFC 6761 section 6.3. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    host === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(host)
  );
}

/** True for an https URL, or an http URL on loopback: the only ones tokens may travel to. */
export function isSecureUrl(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
}
