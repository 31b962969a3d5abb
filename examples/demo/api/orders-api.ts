import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createEdge } from '@tessera/edge';
import { type ProtectedRequest, protect } from '@tessera/edge/node';
import { closeServer, listenOnLoopback, readJson } from '../local-http.ts';
import type { DemoSecrets, DemoSettings } from '../settings.ts';
import { CallsToServer } from './calls-to-server.ts';

/** An order as the API answers it. */
export type Order = { id: number; item: string; by: string };

/** The API of the demo. */
export type OrdersApi = { listen(port: number): Promise<void>; close(): Promise<void> };

const mostOrders = 50;

/**
 * An API that somebody else could have written: two routes, each behind an edge that checks the access token. `GET /orders` needs the scope `orders:read`,
 * `POST /orders` needs `orders:write`. The orders are kept in memory and are the same for everybody.
 */
export function createOrdersApi(settings: DemoSettings, secrets: DemoSecrets): OrdersApi {
  const calls = new CallsToServer();
  const edge = createEdge({
    issuer: settings.issuer,
    audience: settings.api,
    clientId: 'demo-api',
    clientSecret: secrets.api,
    publicUrl: settings.api,
    resourceName: 'Orders',
    scopesSupported: ['orders:read', 'orders:write'],
    fetch: calls.fetch,
    onNotice: ({ kind, ...more }) => kind === 'feed-lost' && console.warn('demo API: no word from the server', more),
  });
  const orders: Order[] = [
    { id: 1, item: 'Two loaves of bread', by: 'the baker' },
    { id: 2, item: 'A new lantern', by: 'the watch' },
  ];

  const list = ({ auth }: ProtectedRequest, response: ServerResponse) =>
    answer(response, 200, { subject: auth.subject, scopes: auth.scopes, orders });
  const add = async (request: ProtectedRequest, response: ServerResponse) => {
    const item = (await readJson(request))?.item;
    if (typeof item !== 'string' || item.trim() === '' || item.length > 80)
      return answer(response, 400, { error_description: 'Send { "item": … } with 1 to 80 characters' });
    const order = { id: (orders.at(-1)?.id ?? 0) + 1, item: item.trim(), by: request.auth.subject };
    orders.push(order);
    orders.splice(0, orders.length - mostOrders);
    return answer(response, 201, { subject: request.auth.subject, order });
  };
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    'GET /orders': protect(edge, { scopes: ['orders:read'] }, list),
    'POST /orders': protect(edge, { scopes: ['orders:write'] }, add),
    'GET /health': (_request, response) =>
      answer(response, edge.status().knowledge?.isCurrent ? 200 : 503, { knowledge: edge.status().knowledge }),
  };

  const http = createServer((request, response) => {
    allowApp(response, settings.app);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const route = routes[`${request.method} ${request.url?.split('?')[0]}`] ?? protect(edge, {}, notFound);
    calls.count(response, () => route(request, response));
  });
  return {
    async listen(port) {
      await edge.start();
      await listenOnLoopback(http, port);
    },
    async close() {
      await edge.close();
      await closeServer(http);
    },
  };
}

/** The page of the demo app runs on another origin; browsers ask before they let it send a token here (CORS), and hide headers that are not named. */
function allowApp(response: ServerResponse, app: string): void {
  response.setHeader('Access-Control-Allow-Origin', app);
  response.setHeader('Vary', 'Origin');
  response.setHeader('Access-Control-Allow-Methods', 'GET, POST');
  response.setHeader('Access-Control-Allow-Headers', 'authorization, content-type, dpop');
  response.setHeader('Access-Control-Max-Age', '7200');
  response.setHeader(
    'Access-Control-Expose-Headers',
    'www-authenticate, dpop-nonce, retry-after, tessera-refusal-id, demo-calls-to-server',
  );
}

function notFound(_request: ProtectedRequest, response: ServerResponse): void {
  answer(response, 404, { error_description: 'There is nothing here; try /orders' });
}

function answer(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
    .end(JSON.stringify(body));
}
