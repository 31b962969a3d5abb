import { createEdge, type Edge, type EdgeOptions } from '@tessera/edge';
import { ordersApi, secret } from '../test-server.ts';

/** The edge in front of the orders API of that issuer, not started. */
export function ordersEdge(issuer: string, more: Partial<EdgeOptions> = {}): Edge {
  return createEdge({
    issuer,
    audience: ordersApi,
    clientId: 'orders-api',
    clientSecret: secret,
    onNotice: () => undefined,
    ...more,
  });
}
