import type { Seconds } from '@tessera/protocol';
import type { Counter } from 'prom-client';
import type { Context } from '../context.ts';
import type { EventType } from '../events/event-types.ts';
import { type AdminContext, done, type Outcome } from './operation.ts';

/** A count that stops at a bound; then `more` is true. */
export type Count = { count: number; more: boolean };

/** How the server is doing. Counters are those of the answering process, since it started. */
export type Statistics = {
  at: Seconds;
  users: Count;
  clients: Count;
  resourceServers: Count;
  liveSessions: Count;
  liveGrants: Count;
  /** How often each kind of event happened within the last day, among the newest 5,000 events. */
  lastDay: { from: Seconds; events: Partial<Record<EventType, number>>; more: boolean };
  counters: {
    tokensIssued: Record<string, number>;
    refreshes: Record<string, number>;
    introspections: Record<string, number>;
    refusals: Record<string, number>;
    signIns: Record<string, number>;
    endings: Record<string, number>;
  };
};

const pageSize = 200;
const mostCounted = 1000;
const mostEvents = 5000;
const day: Seconds = 86_400;

/** Counts what there is, up to a thousand of each kind, and what happened lately. */
export async function readStatistics(
  context: Pick<AdminContext, 'store' | 'now'> & Pick<Context, 'metrics'>,
): Promise<Outcome<Statistics>> {
  const { store, metrics } = context;
  const now = context.now();
  const live = { state: 'live', now } as const;
  const [users, clients, resourceServers, liveSessions, liveGrants] = await Promise.all([
    countUpTo((after) => store.list('user', page(after))),
    countUpTo((after) => store.list('client', page(after))),
    countUpTo((after) => store.list('resource_server', page(after))),
    countUpTo((after) => store.listSessions(live, page(after))),
    countUpTo((after) => store.listGrants(live, page(after))),
  ]);
  return done({
    at: now,
    users,
    clients,
    resourceServers,
    liveSessions,
    liveGrants,
    lastDay: await countEvents(store, now - day),
    counters: {
      tokensIssued: await valuesOf(metrics.tokensIssued, 'grant_type'),
      refreshes: await valuesOf(metrics.refreshes, 'verdict'),
      introspections: await valuesOf(metrics.introspections, 'active'),
      refusals: await valuesOf(metrics.refusals, 'reason'),
      signIns: await valuesOf(metrics.signIns, 'outcome'),
      endings: await valuesOf(metrics.endings, 'reason'),
    },
  });
}

function page(after: string | undefined): { limit: number; after?: string } {
  return after === undefined ? { limit: pageSize } : { limit: pageSize, after };
}

async function countUpTo(
  read: (after: string | undefined) => Promise<{ items: unknown[]; next?: string }>,
): Promise<Count> {
  let count = 0;
  let after: string | undefined;
  do {
    const { items, next } = await read(after);
    count += items.length;
    after = next;
  } while (after !== undefined && count < mostCounted);
  return { count, more: after !== undefined };
}

async function countEvents(store: AdminContext['store'], from: Seconds): Promise<Statistics['lastDay']> {
  const events: Partial<Record<EventType, number>> = {};
  const found = await store.readEvents({ from, newestFirst: true, limit: mostEvents });
  for (const { type } of found) events[type] = (events[type] ?? 0) + 1;
  return { from, events, more: found.length === mostEvents };
}

async function valuesOf<L extends string>(counter: Counter<L>, label: L): Promise<Record<string, number>> {
  const { values } = await counter.get();
  const sums: Record<string, number> = {};
  for (const { labels, value } of values) {
    const name = String(labels[label] ?? '');
    sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}
