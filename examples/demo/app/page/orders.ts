import type { Order } from '../../api/orders-api.ts';
import { client } from './clients.ts';
import { element, place } from './element.ts';
import { settings } from './settings.ts';
import { milliseconds } from './words.ts';

const wares = ['A jar of oil', 'Sandals, size 42', 'Six wax tablets', 'A warm cloak', 'Figs, one basket'];

type Answer = { subject?: string; orders?: Order[]; order?: Order; error?: string; error_description?: string };

/** Reads the orders and shows what the API answered. Needs `orders:read`. */
export async function readOrders(): Promise<void> {
  await callAndShow('GET');
}

/** Places an order. Needs `orders:write`, which bob's tokens never have. */
export async function placeOrder(): Promise<void> {
  const item = wares[Math.floor(Math.random() * wares.length)];
  await callAndShow('POST', JSON.stringify({ item }));
}

async function callAndShow(method: 'GET' | 'POST', body?: string): Promise<void> {
  let refreshes = 0;
  const stop = client.onChange(({ reason }) => {
    if (reason === 'refreshed') refreshes++;
  });
  const startedMs = performance.now();
  try {
    const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body };
    const response = await client.fetch(settings.orders, { method, ...init });
    const tookMs = performance.now() - startedMs;
    show(method, response, (await response.json()) as Answer, tookMs, refreshes);
  } finally {
    stop();
  }
}

function show(method: string, response: Response, answer: Answer, tookMs: number, refreshes: number): void {
  const calls = Number(response.headers.get('demo-calls-to-server'));
  const told = `${milliseconds(tookMs)}. To check the token, the API called the server ${calls} times.`;
  const renewed = refreshes > 0 ? ' The old token was at its end, so the client got a new one first.' : '';
  place('answer').replaceChildren(
    element(
      'p',
      { class: response.ok ? 'badge live' : 'badge' },
      element(
        'span',
        { class: 'mono' },
        `${method} /orders → ${response.status}${answer.error ? ` ${answer.error}` : ''}`,
      ),
    ),
    element('p', { class: 'small' }, told + renewed),
    describe(response, answer),
  );
}

function describe(response: Response, { orders, order, subject, error, error_description }: Answer): HTMLElement {
  if (error === 'insufficient_scope') {
    const scope = /scope="([^"]+)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1];
    return element(
      'p',
      {},
      `Refused: this needs the scope ${scope}, which your token doesn't have, because you have no role that gives it. Sign in as ada to place orders.`,
    );
  }
  if (orders)
    return element(
      'ul',
      { class: 'plain order-list' },
      ...orders
        .slice(-5)
        .map(({ item, by }) =>
          element('li', {}, item, element('span', { class: 'small' }, ` for ${nameOf(by, subject)}`)),
        ),
    );
  if (order) return element('p', {}, `Placed: ${order.item}. Read the orders to see it.`);
  return element('p', {}, error_description ?? 'The API answered with nothing more.');
}

function nameOf(by: string, subject: string | undefined): string {
  if (by === subject) return 'you';
  return by.includes(' ') ? by : 'somebody else';
}
