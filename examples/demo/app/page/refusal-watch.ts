import type { TesseraClient } from '@tessera/client/browser';
import { settings } from './settings.ts';
import { pause } from './words.ts';

/** What calling the API until it refused came to. `refusedAtMs` is on the page's clock (`performance.now()`). */
export type RefusalSeen = { refusedAtMs: number; answers: number; callsToServer: number; error: string };

const longestWatchMs = 15_000;

/**
 * Calls the API with the access token as it is, again and again, until it is refused. Counts the answers, and how often the API called the server for them.
 * Throws when the API still accepts after fifteen seconds.
 */
export async function untilRefused(client: TesseraClient): Promise<RefusalSeen> {
  const giveUpAtMs = performance.now() + longestWatchMs;
  for (let answers = 1, callsToServer = 0; ; answers++) {
    const { headers } = await client.authorize('GET', new URL(settings.orders));
    const response = await fetch(settings.orders, { headers });
    const refusedAtMs = performance.now();
    callsToServer += Number(response.headers.get('demo-calls-to-server'));
    if (response.status === 401) return { refusedAtMs, answers, callsToServer, error: await errorOf(response) };
    if (refusedAtMs > giveUpAtMs) throw new Error('the API still accepts the token');
    await pause(5);
  }
}

async function errorOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error?: string };
  return `${response.status} ${error}`;
}
