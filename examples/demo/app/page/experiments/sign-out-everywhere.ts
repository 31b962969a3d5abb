import { endAllSessions } from '../backend.ts';
import { client } from '../clients.ts';
import { watchApi } from '../refusal-watch.ts';
import { milliseconds, times } from '../words.ts';
import type { Outcome, Say } from './outcome.ts';

/** Ends every session of the user, and watches the API meanwhile. */
export async function signOutEverywhere(say: Say): Promise<Outcome> {
  await client.refresh();
  say('Ending every session you have …');
  const api = watchApi(client);
  await api.accepted;
  const clickedMs = performance.now();
  const sessions = await endAllSessions();
  const seen = await api.refused;
  await client.refresh().catch(() => undefined);
  return {
    headline: milliseconds(seen.refusedAtMs - clickedMs),
    means: `from the click until the API answered ${seen.error}`,
    says: [
      `You're signed out everywhere: ${sessions === 1 ? '1 session' : `${sessions} sessions`} ended, with all apps in ${sessions === 1 ? 'it' : 'them'}.`,
      `The API called the server ${times(seen.callsToServer)} to know. Open Notes: it knows too.`,
    ],
  };
}
