import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from './context.ts';
import { StoreUnavailable } from './store/store.ts';

/** How long, in milliseconds, a request waits for that: as long as for a connection to a database. */
const mostWaitMs = 5000;

/** Whether what this process remembers is of now. On a busy server it always is; one that was idle, frozen or cut off reads the store before it answers. */
export function isUpToDate({ follower, clock }: Pick<Context, 'follower' | 'clock'>): boolean {
  return follower.isFresh && clock.isSteady;
}

/** Reads what happened meanwhile, and the database's clock when this machine slept. Throws `StoreUnavailable`, also when a store that stalls lets it wait for too long. */
export async function catchUp({ follower, clock }: Pick<Context, 'follower' | 'clock'>): Promise<void> {
  const enough = new AbortController();
  const tooLong = sleep(mostWaitMs, undefined, { signal: enough.signal, ref: false }).then(
    () => Promise.reject(new StoreUnavailable('the store does not answer in time')),
    () => undefined,
  );
  const caughtUp = Promise.all([follower.isFresh || follower.catchUp(), clock.isSteady || clock.measure()]);
  await Promise.race([caughtUp, tooLong]).finally(() => enough.abort());
}
