import { endThisSession } from '../backend.ts';
import { client } from '../clients.ts';
import { untilRefused } from '../refusal-watch.ts';
import { duration, milliseconds, now } from '../words.ts';
import type { Outcome, Say } from './outcome.ts';

/** The operator ends the session; the app goes on calling the API with an access token that is good for two minutes. */
export async function endSessionElsewhere(say: Say): Promise<Outcome> {
  const { expiresAt = 0 } = await client.refresh();
  say('Calling the API all the time, while the operator ends your session …');
  const refused = untilRefused(client);
  const clickedMs = performance.now();
  await endThisSession();
  const seen = await refused;
  const left = expiresAt - now();
  await client.refresh().catch(() => undefined); // The server says no as well, and the client forgets the tokens.
  return {
    headline: milliseconds(seen.refusedAtMs - clickedMs),
    means: `from the click until the API answered ${seen.error}`,
    says: [
      `By itself the token would have lived ${duration(left)} more. Its signature is still right.`,
      `The API answered ${seen.answers} times meanwhile and called the server ${seen.callsToServer} times: it listens to what ends.`,
      'Asked for a new token, the server refused as well, so the app forgot its tokens. Sign in to go on.',
    ],
  };
}
