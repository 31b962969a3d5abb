/** The cookies of a request; of two with one name the first counts. Source: RFC 6265 section 5.4. */
export function readCookies(header: string | undefined): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0) continue;
    const name = pair.slice(0, equals).trim();
    if (!(name in cookies)) cookies[name] = pair.slice(equals + 1).trim();
  }
  return cookies;
}

/** How the server's cookies are written: `__Host-` and Secure on https, plain names on a loopback http issuer, where browsers refuse them. */
export type CookieJar = {
  name(base: string): string;
  write(base: string, value: string, maxAge: number | undefined): string;
};

/**
 * The cookie rules of an issuer. All cookies are HttpOnly, SameSite=Lax (the authorization request comes from other sites by a top-level
 * navigation) and hold for the whole host, so the issuer's path is part of their names. `maxAge` undefined: until the browser closes; 0: removed. Source: RFC 6265bis sections 4.1.3 and 5.6.
 */
export function cookieJar(issuer: string): CookieJar {
  const isHttps = issuer.startsWith('https:');
  const { port, pathname } = new URL(issuer);
  // Cookies know no port, and those of a whole host no path: issuers side by side are told apart by the name.
  const tenant = pathname === '/' ? '' : `_${Buffer.from(pathname).toString('base64url')}`;
  const name = (base: string) => (isHttps ? `__Host-${base}${tenant}` : `${base}_${port || 80}${tenant}`);
  return {
    name,
    write: (base, value, maxAge) =>
      `${name(base)}=${value}; Path=/; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}${maxAge === undefined ? '' : `; Max-Age=${maxAge}`}`,
  };
}
