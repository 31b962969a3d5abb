import { endThisSession } from '../backend.ts';
import { client } from '../clients.ts';
import { watchApi } from '../refusal-watch.ts';
import { duration, milliseconds, now, times } from '../words.ts';
import type { Outcome, Say } from './outcome.ts';

/** The operator ends the session; the app goes on calling the API with an access token that is good for two minutes. */
export async function endSessionElsewhere(say: Say): Promise<Outcome> {
  const { expiresAt = 0 } = await client.refresh();
  say('Calling the API all the time, while the operator ends your session …');
  const api = watchApi(client);
  await api.accepted; // Up to here the token is good.
  const clickedMs = performance.now();
  await endThisSession();
  const seen = await api.refused;
  const left = expiresAt - now();
  await client.refresh().catch(() => undefined); // The server says no as well, and the client forgets the tokens.
  return {
    headline: milliseconds(seen.refusedAtMs - clickedMs),
    means: `from the operator's click until the API answered ${seen.error}`,
    says: [
      `By itself the token would have lived ${duration(left)} more. Its signature is still right.`,
      `Until then the API accepted it ${times(seen.accepted)}. It called the server ${times(seen.callsToServer)}: it listens to what ends.`,
      'Asked for a new token, the server refused as well, so the app forgot its tokens. Sign in to go on.',
    ],
  };
}
