import { createEdge, type Edge } from '@tessera/edge';
import type { Seconds } from '@tessera/protocol';
import type { App } from '../apps.ts';
import { ordersApi, secret } from '../test-server.ts';

/** `places`: where it asks, as it was told. `route`: the address at the time of what it asks for. `maxAge`: how stale it may be before it refuses. */
export type TestEdgeOptions = { places: readonly string[]; route: (url: string) => string; maxAge: Seconds };

/** An edge in front of the orders API that has started. */
export async function startTestEdge(issuer: string, { places, route, maxAge }: TestEdgeOptions): Promise<Edge> {
  const edge = createEdge({
    issuer,
    audience: ordersApi,
    clientId: 'orders-api',
    clientSecret: secret,
    jwksUri: `${places[0]}/jwks`,
    introspectionEndpoint: `${places[0]}/introspect`,
    feedUrls: places.map((place) => `${place}/events/poll`),
    staleness: { maxAge, policy: 'refuse' },
    onNotice: () => undefined,
    fetch: (input, init) => fetch(route(String(input)), init),
  });
  await edge.start();
  return edge;
}

/** `accepted`, or why the edge refuses the app's access token. */
export async function verdictOf(edge: Edge, { accessToken }: Pick<App, 'accessToken'>): Promise<string> {
  const facts = { method: 'GET', url: ordersApi, authorization: [`Bearer ${accessToken}`], dpop: [] };
  const verdict = await edge.verifyAccessToken(facts, {});
  return verdict.ok ? 'accepted' : verdict.reason;
}
