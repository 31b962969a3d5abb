import type { Seconds } from '@tessera/protocol';

/**
 * What the edge does with a token whose signature holds while it does not know recently enough what has ended: when the revocation feed is cut off longer than
 * the bound, before its first replay, or when the revocation set is full.
 *
 * - `introspect`: asks the issuer about each token.
 * - `{ serve: seconds }`: goes on accepting for that long after the bound, then refuses. Tokens revoked meanwhile are accepted, until they expire.
 * - `refuse`: answers 503.
 */
export type StalePolicy = 'introspect' | 'refuse' | { serve: Seconds };

/** How recent the edge's knowledge is. `staleForMs` counts from the moment the bound was passed. */
export type Knowledge = { isCurrent: true } | { isCurrent: false; staleForMs: number; because: string };

/** What to do with a token that nothing known speaks against. Pure. `canIntrospect`: credentials and endpoint are there; without them `introspect` refuses. */
export function decideByKnowledge(
  knowledge: Knowledge,
  policy: StalePolicy,
  canIntrospect: boolean,
): 'accept' | 'introspect' | 'refuse' {
  if (knowledge.isCurrent) return 'accept';
  if (policy === 'introspect') return canIntrospect ? 'introspect' : 'refuse';
  if (policy === 'refuse') return 'refuse';
  return knowledge.staleForMs <= policy.serve * 1000 ? 'accept' : 'refuse';
}
