import { day, largestAllowedSkew, type Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import { keepLifetime, tokensUntil } from '../sessions/tokens-until.ts';
import { type JournalEntry, mergedKinds, mergeEntries } from '../store/journal/journal-entry.ts';
import type { Change, CommitResult, Ending, NewEvent } from '../store/store.ts';
import { applySetting, type Review } from './apply-setting.ts';
import { serverActor } from './server-actor.ts';

/** What applying a journal needs. */
export type RestoreContext = Pick<Context, 'config' | 'store' | 'rootKeys' | 'random' | 'now'>;

/** What applying a journal came to: how much was ended again, and what a person must look at. */
export type Applied = {
  /** Entries that still matter. */
  entries: number;
  sessions: number;
  grants: number;
  /** Endings the store knows nothing of, told to the edges again. */
  told: number;
  settings: number;
  review: Review[];
};

const slice = 100;
/** No access token may live longer, by the rules of the configuration; a journal that says otherwise is not believed. */
const mostLifetime = day;

/**
 * Ends again what a journal says has ended and the store, put back to an older state, holds alive; each with its event, so that edges hear of it. What the older state does not know at all
 * (it began and ended since) is told to the edges as long as tokens of it may be about. Applying it twice changes nothing.
 */
export async function applyEndings(
  context: RestoreContext,
  entries: AsyncIterable<JournalEntry>,
  onProgress: (applied: Applied) => void = () => undefined,
): Promise<Applied> {
  const applied: Applied = { entries: 0, sessions: 0, grants: 0, told: 0, settings: 0, review: [] };
  const settings = new Map<string, JournalEntry>();
  let waiting: JournalEntry[] = [];
  let longest = 0;
  for await (const entry of entries) {
    if (entry.until <= context.now()) continue;
    applied.entries += 1;
    if (lifetimeOf(entry) > longest) {
      longest = lifetimeOf(entry);
      // Raised in the time that was lost: tokens of then are about for longer than the older state would have edges remember their ends.
      await keepLifetime(context, longest);
    }
    if (isSetting(entry)) {
      const key = `${entry.kind} ${entry.id}`;
      settings.set(key, mergeEntries(settings.get(key), entry));
    } else waiting.push(entry);
    if (waiting.length < slice) continue;
    await endAgain(context, waiting, applied);
    waiting = [];
    onProgress(applied);
  }
  await endAgain(context, waiting, applied);
  for (const entry of settings.values()) {
    const { changed, review } = await applySetting(context, entry);
    if (changed) applied.settings += 1;
    if (review !== undefined) applied.review.push(review);
  }
  onProgress(applied);
  return applied;
}

/** The access token lifetime that was in force when the entry was written, as far as it tells. */
function lifetimeOf({ edgesUntil, at }: JournalEntry): Seconds {
  return edgesUntil === undefined ? 0 : Math.min(mostLifetime, edgesUntil - at - largestAllowedSkew);
}

function isSetting({ kind }: JournalEntry): boolean {
  return mergedKinds.includes(kind) || kind === 'key' || kind === 'consent';
}

async function endAgain(context: RestoreContext, entries: readonly JournalEntry[], applied: Applied): Promise<void> {
  if (entries.length === 0) return;
  const { store, now } = context;
  const at = now();
  const until = await tokensUntil(context, at);
  const endings = entries.filter(({ kind }) => kind !== 'token').map((entry) => endingOf(entry, { at, until }));
  const result: CommitResult =
    endings.length === 0 ? { outcome: 'committed', ended: { sids: [], grantIds: [] } } : await store.commit(endings);
  if (result.outcome === 'conflict') throw new TypeError('endings expect nothing, and yet one conflicted');
  applied.sessions += result.ended.sids.length;
  applied.grants += result.ended.grantIds.length;
  const ended = new Set([...result.ended.sids, ...result.ended.grantIds]);
  for (const entry of entries) {
    if (entry.kind === 'token') applied.told += await revokeToken(context, entry, at);
    else if (!ended.has(entry.id)) applied.told += await tellEdges(context, entry, at);
  }
}

function endingOf(entry: JournalEntry, { at, until }: { at: Seconds; until: Seconds }): Change {
  const data = { restored: true, endedBefore: entry.at };
  const ending: Ending = { reason: entry.reason ?? 'admin', at, actor: serverActor, until, data };
  return entry.kind === 'session'
    ? { change: 'end-sessions', where: { sid: entry.id }, offline: false, ending }
    : { change: 'end-grants', where: { grantId: entry.id }, ending };
}

/** An ending of what the store does not know. What it holds as ended has its event already. */
async function tellEdges({ store }: RestoreContext, entry: JournalEntry, at: Seconds): Promise<0 | 1> {
  const { kind, id, edgesUntil: until, audiences = null, userId, sid, clientId, reason } = entry;
  if (until === undefined || until <= at) return 0;
  const known = kind === 'session' ? await store.getSession(id) : await store.getGrant(id);
  if (known !== undefined) return 0;
  const who = { ...(userId !== undefined && { userId }), ...(clientId !== undefined && { clientId }) };
  const what =
    kind === 'session'
      ? ({ type: 'session.ended', sid: id } as const)
      : ({ type: 'grant.ended', grantId: id, ...(sid !== undefined && { sid }) } as const);
  const data = { restored: true, endedBefore: entry.at, ...(reason !== undefined && { reason }) };
  await store.commit([], [{ ...what, at, actor: serverActor, ...who, data, audiences, until }]);
  return 1;
}

async function revokeToken({ store }: RestoreContext, entry: JournalEntry, at: Seconds): Promise<0 | 1> {
  const { id: jti, until, audiences = null, userId, sid, clientId } = entry;
  const event: NewEvent = {
    type: 'token.revoked',
    at,
    actor: serverActor,
    ...(userId !== undefined && { userId }),
    ...(sid !== undefined && { sid }),
    ...(clientId !== undefined && { clientId }),
    data: { jti, restored: true },
    audiences,
    until,
  };
  // A conflict: the state that was put back knows it already.
  const result = await store.commit([{ change: 'remember', key: `revoked:${jti}`, now: at, until }], [event]);
  return result.outcome === 'committed' ? 1 : 0;
}
