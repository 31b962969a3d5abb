/**
 * The target of a request as path and query. Servers must also take the absolute form, which clients send to proxies; what it says of scheme and host matters as little here as the Host field.
 * Source: RFC 9112 section 3.2.2.
 */
export function pathAndQuery(target: string): string {
  if (target.startsWith('/')) return target;
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0];
  if (origin === undefined) return target;
  const rest = target.slice(origin.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}
