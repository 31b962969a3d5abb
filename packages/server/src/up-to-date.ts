import type { Context } from './context.ts';

/** Whether what this process remembers is of now. On a busy server it always is; one that was idle, frozen or cut off reads the store before it answers. */
export function isUpToDate({ follower, clock }: Pick<Context, 'follower' | 'clock'>): boolean {
  return follower.isFresh && clock.isSteady;
}

/** Reads what happened meanwhile, and the database's clock when this machine slept. Throws `StoreUnavailable`. */
export async function catchUp({ follower, clock }: Pick<Context, 'follower' | 'clock'>): Promise<void> {
  await Promise.all([follower.isFresh || follower.catchUp(), clock.isSteady || clock.measure()]);
}
