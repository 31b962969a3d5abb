import type { Seconds } from '@tessera/protocol';

/**
 * What lapses is found by a table of moments, an entry for each grant and each session: when it would lapse, as far as was known when the entry was made. A use does not
 * change it; when the moment comes the row is looked at, and what was used since gets the moment of its present limit. So a look costs what comes due, and a grant in
 * use is looked at once in its idle limit. Triggers make the entries, whatever code writes the row: at birth, when a session is renewed, and when a grant ends on which
 * its session may have lived.
 */

/** What an entry that came due is worth: its row has lapsed, or has ended or is gone, or lapses then at the earliest. */
export type Verdict = 'lapsed' | 'gone' | Seconds;

/** What of a grant says when it lapses; undefined: there is no such grant. */
export type GrantLimits = { idle_at: Seconds | null; ends_at: Seconds; ended_at: Seconds | null } | undefined;

/** What of a session says when it lapses. `carried_until`: when the last of its unended grants lapses; null: it has none, or its cookie still is good. */
export type SessionLimits =
  | { sso_until: Seconds; ends_at: Seconds; ended_at: Seconds | null; carried_until: Seconds | null }
  | undefined;

/** Judges the entry of a grant. */
export function judgeGrant(limits: GrantLimits, now: Seconds): Verdict {
  if (limits === undefined || limits.ended_at !== null) return 'gone';
  const limit = Math.min(limits.ends_at, limits.idle_at ?? limits.ends_at);
  return limit <= now ? 'lapsed' : limit;
}

/** Judges the entry of a session: past its cookie's time it lives as long as its grants do. */
export function judgeSession(limits: SessionLimits, now: Seconds): Verdict {
  if (limits === undefined || limits.ended_at !== null) return 'gone';
  const limit = Math.min(limits.ends_at, Math.max(limits.sso_until, limits.carried_until ?? 0));
  return limit <= now ? 'lapsed' : limit;
}

/** The tables of entries. */
export type DueKind = 'sessions' | 'grants';

/** An entry's place in the order in which entries come due. */
export type Mark = { dueAt: Seconds; id: string };

/** Before all entries. */
const firstMark: Mark = { dueAt: Number.MIN_SAFE_INTEGER, id: '' };

/** A look at up to `most` entries after a mark that are due at `now`. */
export type LookBounds = { kind: DueKind; now: Seconds; after: Mark; most: number };

/** What has lapsed of those; `last`: the last of the entries, if there may be more. */
export type Looked = { lapsed: string[]; last?: Mark };

// Entries of one transaction.
const slice = 500;

/** Finds what has lapsed, at most `limit`. What was found stays due until it ends, so the entries are gone through once. */
export async function findDue(
  kind: DueKind,
  now: Seconds,
  limit: number,
  look: (bounds: LookBounds) => Promise<Looked>,
): Promise<string[]> {
  const lapsed: string[] = [];
  let after: Mark | undefined = firstMark;
  while (after !== undefined && lapsed.length < limit) {
    const looked: Looked = await look({ kind, now, after, most: Math.min(slice, limit - lapsed.length) });
    lapsed.push(...looked.lapsed);
    after = looked.last;
  }
  return lapsed;
}

// What a database of an older version gets at each look until it has all its entries: a few tenths of a second's work.
const fillsPerLook = 16;

/** Rows that a step of the back-fill looks at. */
export const fillSlice = 2048;

/** Makes entries for rows of before there were entries. `fill` makes a slice of them and says whether that was the last. Returns whether all are made. */
export async function fillSome(fill: () => Promise<boolean>): Promise<boolean> {
  for (let fills = 0; fills < fillsPerLook; fills += 1) if (await fill()) return true;
  return false;
}
