import { legacyRetryWindow } from '../../../legacy-retry-window.ts';
import { handToThief } from '../backend.ts';
import { client, legacyClient } from '../clients.ts';
import { watchApi } from '../refusal-watch.ts';
import { settings } from '../settings.ts';
import { milliseconds, pause } from '../words.ts';
import type { Outcome, Say } from './outcome.ts';

/** A thief has a copy of this app's refresh token, which is bound to a key, and then one of an old app's, which is not. */
export async function replayStolenToken(say: Say): Promise<Outcome> {
  say("On another machine the thief presents your refresh token. It's bound to a key, and the key can't be copied …");
  const mine = await client.getTokens();
  const bound = await handToThief(mine?.refresh_token ?? '', 'demo-spa');
  const afterBound = await client.fetch(settings.orders);

  const copied = (await legacyClient.getTokens())?.refresh_token ?? '';
  await legacyClient.refresh(); // The owner of the old app goes on; the thief's copy is now a spent token.
  for (let left = legacyRetryWindow + 1; left > 0; left--) {
    say(
      `Now the old app, which has no key. For ${left} s more its spent token may come again, as a lost answer would make it. The thief waits …`,
    );
    await pause(1000);
  }
  const api = watchApi(legacyClient);
  await api.accepted;
  const triedMs = performance.now();
  const bearer = await handToThief(copied, 'demo-legacy');
  const seen = await api.refused;
  const sibling = await client.fetch(settings.orders);
  return {
    headline: milliseconds(seen.refusedAtMs - triedMs),
    means: "from the thief's try until the API refused the old app's token",
    says: [
      `Your own token: refused (${bound.error}), no proof of the key came with it. A copy alone is worth nothing, so nothing ended: your next call got ${afterBound.status}.`,
      `The old app's token: refused (${bearer.error}). It was spent, so somebody has a copy: its grant ended, for thief and owner. The API knew by itself: ${seen.callsToServer} calls to the server.`,
      `Nothing else ended. This app, in the same session, goes on: its next call got ${sibling.status}.`,
    ],
  };
}

/** Signs in to the old app, if it is not. Leaves the page for a moment and asks nothing, since the session is there. False when it leaves. */
export async function isOldAppSignedIn(): Promise<boolean> {
  const isAlive = await legacyClient.refresh().then(
    () => true,
    () => false,
  );
  if (!isAlive) await legacyClient.signIn({ prompt: 'none', returnTo: '/' });
  return isAlive;
}
