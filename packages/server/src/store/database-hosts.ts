/**
 * The connection strings of each host that one names, in their order, as libpq reads them: `postgres://user@one:5432,two:5433/database`, or `?host=/one,/two`. One without a
 * list comes back as it is. Source: PostgreSQL documentation, section 34.1.1.3 (Specifying Multiple Hosts).
 */
export function splitHosts(connectionString: string): string[] {
  const [, start = '', hosts = '', rest = ''] =
    /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^@/?#]*)(.*)$/s.exec(connectionString) ?? [];
  if (hosts.includes(',')) return hosts.split(',').map((host) => `${start}${host}${rest}`);
  const at = connectionString.indexOf('?');
  const query = new URLSearchParams(at === -1 ? '' : connectionString.slice(at + 1));
  const named = query.get('host')?.split(',') ?? [];
  if (named.length < 2) return [connectionString];
  const ports = query.get('port')?.split(',') ?? [];
  return named.map((host, index) => {
    query.set('host', host);
    if (ports.length > 0) query.set('port', ports[index] ?? ports[0]!);
    return `${connectionString.slice(0, at)}?${query}`;
  });
}

/** What the first of several comes to that does not fail; the failure of the last if all do. */
export async function firstOf<Item, T>(items: readonly Item[], make: (item: Item) => Promise<T>): Promise<T> {
  let failure: unknown;
  for (const item of items) {
    try {
      return await make(item);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
