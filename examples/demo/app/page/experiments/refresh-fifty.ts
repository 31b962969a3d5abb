import { client, copyOfThisTab } from '../clients.ts';
import { readOwnGrant } from '../held-token.ts';
import { milliseconds } from '../words.ts';
import type { Outcome, Say } from './outcome.ts';

/** Fifty clients that know nothing of each other redeem one refresh token. */
export async function refreshFiftyTimes(say: Say): Promise<Outcome> {
  const before = await readOwnGrant();
  say('Fifty copies of this tab ask for a new token …');
  const tabs = [client, ...Array.from({ length: 49 }, copyOfThisTab)];
  const startedMs = performance.now();
  const answers = await Promise.allSettled(tabs.map((tab) => tab.refresh()));
  const tookMs = performance.now() - startedMs;

  const tokens = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.refresh_token] : []));
  const after = await readOwnGrant();
  return summary(tokens.length, new Set(tokens).size, before, after, tookMs);
}

type Counts = { generation: number; replays: number };

function summary(answered: number, successors: number, before: Counts, after: Counts, tookMs: number): Outcome {
  const steps = after.generation - before.generation;
  const repeats = after.replays - before.replays;
  return {
    headline: steps === 1 ? '1 step' : `${steps} steps`,
    means: `generation ${before.generation} → ${after.generation}, after ${answered} of 50 got an answer, in ${milliseconds(tookMs)}`,
    says: [
      `All answers hold ${successors === 1 ? 'one and the same' : `${successors} different`} new refresh token.`,
      `The first request moved the grant on. ${repeats} were recognised as the same wish again and got what the first got.`,
      'Nobody was signed out, and at the server one row changed.',
    ],
  };
}
