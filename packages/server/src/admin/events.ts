import type { EventType } from '../events/event-types.ts';
import type { EventFilter, EventRecord } from '../store/store.ts';
import { type AdminContext, done, given, type Outcome } from './operation.ts';

/** Which events to list. `before` and `after` are positions; with `after` the order is oldest first, to follow the log. */
export type EventsInput = {
  types?: EventType[] | undefined;
  userId?: string | undefined;
  sid?: string | undefined;
  grantId?: string | undefined;
  clientId?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
  before?: number | undefined;
  after?: number | undefined;
  limit: number;
};

/** Events, newest first; `next` is the `before` of the following page. With `after`: oldest first, and `next` is the `after` to go on with. */
export async function listEvents(
  context: Pick<AdminContext, 'store'>,
  { before, after, limit, ...rest }: EventsInput,
): Promise<Outcome<{ items: EventRecord[]; next?: number }>> {
  const filter: EventFilter = {
    ...given(rest),
    ...(before === undefined ? {} : { beforePosition: before }),
    ...(after === undefined ? {} : { afterPosition: after }),
    newestFirst: after === undefined,
    limit,
  };
  const items = await context.store.readEvents(filter);
  const last = items.at(-1);
  if (after !== undefined) return done({ items, next: last?.position ?? after });
  return done(last && items.length === limit ? { items, next: last.position } : { items });
}
