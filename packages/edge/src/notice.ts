import type { Seconds } from '@tessera/protocol';
import type { FeedNotice } from './revocation-feed.ts';
import type { StalePolicy } from './stale-policy.ts';

/** What an edge tells its operator besides refusals. */
export type EdgeNotice =
  | FeedNotice
  | { kind: 'policy'; asked: StalePolicy; inForce: StalePolicy | 'none'; message: string };

/** What will happen when the edge does not know recently enough what was revoked, in a sentence. `maxAge`: the bound in seconds. */
export function describePolicy(asked: StalePolicy, inForce: StalePolicy | 'none', maxAge: Seconds): string {
  if (inForce === 'none')
    return 'there is no revocation feed: a revoked token is accepted until it expires (allowRevokedUntilExpiry)';
  const does = typeof inForce === 'object' ? `goes on accepting for ${inForce.serve} s, then refuses` : `${inForce}s`;
  const why = asked === inForce ? '' : ' (it should introspect, but the issuer has no introspection endpoint for it)';
  return `when it does not know what was revoked in the last ${maxAge} s, it ${does}${why}`;
}

/** A notice as one line for a log. */
export function describeNotice(notice: EdgeNotice): string {
  switch (notice.kind) {
    case 'policy':
      return notice.message;
    case 'feed-lost':
      return `the revocation feed is lost: ${notice.message}`;
    case 'feed-gap':
      return `the revocation feed had a gap and is read anew: ${notice.cause}`;
    case 'feed-current':
      return `the revocation feed is current (${notice.entries} endings, position ${notice.position})`;
  }
}
