import { setTimeout as sleep } from 'node:timers/promises';
import { type RefusalReason, refusalReasons, type Seconds } from '@tessera/protocol';
import type { EventType } from '../events/event-types.ts';
import { refusalsFlushEveryMs } from '../events/refusal-journal.ts';
import type { EventRecord } from '../store/store.ts';
import { type AdminContext, done, type Outcome, refuse } from './operation.ts';

/** Events that tell of a refusal; their data have `refusalId` when the answer named one. */
const refusalEvents: EventType[] = [
  'request.refused',
  'sign_in.failed',
  'sign_in.throttled',
  'refresh.reused',
  'code.reused',
  'dpop.replayed',
];

/** Events that explain why something of a session or grant is refused later. */
const endings: EventType[] = ['session.ended', 'grant.ended', 'refresh.reused', 'code.reused', 'token.revoked'];
const cutOffs: EventType[] = ['client.epoch_raised', 'client.removed', 'client.changed'];

/** How far back a refusal is looked for: that many refusals, in slices. */
const slice = 1000;
const mostSlices = 50;

/** Why a request was refused. `cause` is the event that led to it: what ended the grant, or cut the client off. */
export type Refusal = {
  refusalId: string;
  at: Seconds;
  reason?: RefusalReason;
  /** The reason in a sentence. */
  meaning?: string;
  event: EventRecord;
  cause?: EventRecord;
};

/** How long after its answer a refusal is in the log at the latest, of whichever process: it is written a moment later, with others. */
const writtenWithinMs = 4 * refusalsFlushEveryMs;

/** Finds a refusal by the id its answer carried, among the last 50,000. Whoever asks right after the answer is answered as soon as it is written. */
export async function findRefusal(context: Pick<AdminContext, 'store'>, refusalId: string): Promise<Outcome<Refusal>> {
  let event = await findEvent(context, refusalId, mostSlices);
  if (!event) {
    await sleep(writtenWithinMs);
    event = await findEvent(context, refusalId, 1);
  }
  if (event) return done(await explain(context, refusalId, event));
  return refuse(
    'not_found',
    `no refusal "${refusalId}" is in the event log; everyday refusals are only in the server's log: search it for this id`,
  );
}

async function findEvent(
  { store }: Pick<AdminContext, 'store'>,
  refusalId: string,
  slices: number,
): Promise<EventRecord | undefined> {
  let before: number | undefined;
  for (let read = 0; read < slices; read++) {
    const events = await store.readEvents({
      types: refusalEvents,
      newestFirst: true,
      limit: slice,
      ...(before === undefined ? {} : { beforePosition: before }),
    });
    const event = events.find(({ data }) => data?.refusalId === refusalId);
    if (event || events.length < slice) return event;
    before = events.at(-1)?.position;
  }
  return undefined;
}

async function explain(context: Pick<AdminContext, 'store'>, refusalId: string, event: EventRecord): Promise<Refusal> {
  const reason = event.data?.reason;
  const cause = await findCause(context, event);
  return {
    refusalId,
    at: event.at,
    ...(isReason(reason) ? { reason, meaning: refusalReasons[reason] } : {}),
    event,
    ...(cause ? { cause } : {}),
  };
}

async function findCause(
  { store }: Pick<AdminContext, 'store'>,
  { position, grantId, sid, clientId }: EventRecord,
): Promise<EventRecord | undefined> {
  const newest = { newestFirst: true, limit: 1, beforePosition: position };
  const found: EventRecord[] = [];
  if (grantId !== undefined) found.push(...(await store.readEvents({ ...newest, grantId, types: endings })));
  if (sid !== undefined) found.push(...(await store.readEvents({ ...newest, sid, types: ['session.ended'] })));
  if (found.length === 0 && clientId !== undefined)
    found.push(...(await store.readEvents({ ...newest, clientId, types: cutOffs })));
  return found.toSorted((a, b) => b.position - a.position)[0];
}

function isReason(value: unknown): value is RefusalReason {
  return typeof value === 'string' && Object.hasOwn(refusalReasons, value);
}
