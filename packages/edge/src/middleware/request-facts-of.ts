import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { RequestFacts } from '../request-facts.ts';

/**
 * What the edge needs to know of a request of Node's http server. `target` is the request target as the client wrote it, before any router cut it. The URL is built on
 * `publicUrl` when there is one, else on the connection and the Host header; X-Forwarded headers are never read, because anyone can send them.
 */
export function requestFactsOf(message: IncomingMessage, target: string, publicUrl: string | undefined): RequestFacts {
  const source = message.socket?.remoteAddress;
  return knownFacts(message, {
    method: message.method ?? 'GET',
    url: requestUrl(publicUrl ?? connectionUrl(message), target),
    authorization: headerValues(message, 'authorization'),
    dpop: headerValues(message, 'dpop'),
    ...(source === undefined ? {} : { source }),
  });
}

const gathered = new WeakMap<object, RequestFacts[]>();

/**
 * The facts of a request, the same object each time they are gathered: that is how the edge tells a request that passes two `protect`s from one that is replayed.
 * `request` is what the framework keeps for one request.
 */
export function knownFacts(request: object, facts: RequestFacts): RequestFacts {
  const before = gathered.get(request);
  const known = before?.find((one) => isDeepStrictEqual(one, facts));
  if (known === undefined) gathered.set(request, [...(before ?? []), facts]);
  return known ?? facts;
}

/**
 * The URL a client asked for: the target behind the base. A path in the base is one that a proxy cut off. Joined as text, since a target such as `//evil.example/`
 * would, read as a URL, change the host. Source: RFC 9112 section 3.2.
 */
export function requestUrl(base: string, target: string): string {
  const { origin, pathname } = new URL(base);
  return `${origin}${pathname.replace(/\/$/, '')}${pathAndQueryOf(target)}`;
}

/** The path and query of a request target, which may also be a whole URL (as proxies get) or `*`. */
export function pathAndQueryOf(target: string): string {
  if (target.startsWith('/')) return target;
  if (!URL.canParse(target)) return '/';
  const { pathname, search } = new URL(target);
  return pathname + search;
}

function connectionUrl(message: IncomingMessage): string {
  const scheme = (message.socket as { encrypted?: boolean } | undefined)?.encrypted ? 'https' : 'http';
  const host = message.headers.host ?? (message.headers[':authority'] as string | undefined) ?? '';
  const url = `${scheme}://${host}`;
  return URL.canParse(url) ? url : `${scheme}://localhost`;
}

/** Every value of a header. Node's `headers` keeps only the first Authorization header, and a second one must be noticed. */
function headerValues(message: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2)
    if (message.rawHeaders[i]?.toLowerCase() === name) values.push(message.rawHeaders[i + 1] as string);
  return values;
}
