import { client, line } from '../clients.ts';
import { readOwnGrant } from '../held-token.ts';
import { settings } from '../settings.ts';
import { milliseconds } from '../words.ts';
import type { Outcome, Say } from './outcome.ts';

/** The answer to a refresh is lost after the server gave it. What the client does then is what it always does. */
export async function loseTheAnswer(say: Say): Promise<Outcome> {
  const before = await readOwnGrant();
  const startedMs = performance.now();
  let lostMs = 0;
  void line.loseNextAnswer(`${settings.issuer}/token`).then(() => {
    lostMs = performance.now() - startedMs;
    say('The server has replaced the token, and its answer is lost. Asking again with the old one …');
  });
  await client.refresh();
  const tookMs = performance.now() - startedMs;
  const after = await readOwnGrant();
  return {
    headline: 'Still in',
    means: `generation ${before.generation} → ${after.generation}, one step for two requests`,
    says: [
      `The first answer was thrown away after ${milliseconds(lostMs)}. By then the server had spent your old token.`,
      `The client waited a moment and presented the same token again. The server computed the same successor again, ${milliseconds(tookMs)} after the start.`,
      'You noticed nothing. Your token is bound to a key, so this works even if your phone sleeps for ten minutes in between.',
    ],
  };
}
