import type { Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import type { Actor } from '../events/event-types.ts';
import type { EndReason } from '../store/records.ts';
import type { Ending } from '../store/store.ts';
import { tokensUntil } from './tokens-until.ts';

/** Why, when and by whom something ends now, with the time until which edges must remember it. */
export async function endingNow(
  context: Pick<Context, 'config' | 'store' | 'now'>,
  reason: EndReason,
  actor: Actor,
  data?: Record<string, unknown>,
): Promise<Ending> {
  const at: Seconds = context.now();
  return { reason, at, actor, until: await tokensUntil(context, at), ...(data === undefined ? {} : { data }) };
}
