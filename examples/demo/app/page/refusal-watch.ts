import type { TesseraClient } from '@tessera/client/browser';
import { settings } from './settings.ts';
import { pause } from './words.ts';

/**
 * What calling the API until it refused came to. `refusedAtMs` is on the page's clock (`performance.now()`); `accepted` counts the answers before, `callsToServer`
 * what the API asked the server for all of them, the refusal included.
 */
export type RefusalSeen = { refusedAtMs: number; accepted: number; callsToServer: number; error: string };

/** The API under watch: `accepted` resolves with its first good answer, `refused` with its first refusal. */
export type ApiWatch = { accepted: Promise<void>; refused: Promise<RefusalSeen> };

const longestWatchMs = 15_000;

/** Calls the API with the access token as it is, again and again, until it is refused. Rejects when the API still accepts after fifteen seconds. */
export function watchApi(client: TesseraClient): ApiWatch {
  const first = Promise.withResolvers<void>();
  const refused = callUntilRefused(client, first.resolve);
  // Whoever waits for the first good answer is told when none came; afterwards this changes nothing.
  refused.then(() => first.reject(new Error('the API refused the token from the start')), first.reject);
  return { accepted: first.promise, refused };
}

async function callUntilRefused(client: TesseraClient, isAccepted: () => void): Promise<RefusalSeen> {
  const giveUpAtMs = performance.now() + longestWatchMs;
  for (let accepted = 0, callsToServer = 0; ; accepted++) {
    const { headers } = await client.authorize('GET', new URL(settings.orders));
    const response = await fetch(settings.orders, { headers });
    const answeredAtMs = performance.now();
    callsToServer += Number(response.headers.get('demo-calls-to-server'));
    if (response.status === 401)
      return { refusedAtMs: answeredAtMs, accepted, callsToServer, error: await errorOf(response) };
    if (response.ok) isAccepted();
    if (answeredAtMs > giveUpAtMs) throw new Error('the API still accepts the token');
    await pause(5);
  }
}

async function errorOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error?: string };
  return `${response.status} ${error}`;
}
