import { errorStatus, type OAuthError, type RefusalReason, type Seconds } from '@tessera/protocol';
import type { Context } from '../context.ts';
import type { RefusalEvent } from '../events/refusal-journal.ts';
import { randomId } from '../secrets/random.ts';
import { type Input, json, type Output, originOf } from './message.ts';

/** Whom and what a refusal is about, for the operator's eyes. */
export type RefusalFacts = {
  clientId?: string;
  userId?: string;
  sid?: string;
  grantId?: string;
  expected?: string;
  got?: string;
};

/**
 * A request refused, as data: the wire gets `error` and `description`, the log and the event get the rest under the refusal's id. `description`
 * helps whoever integrates and says nothing about which users, tokens or clients exist.
 */
export type Refusal = {
  kind: 'refuse';
  error: OAuthError;
  reason: RefusalReason;
  description: string;
  status?: number;
  headers?: Record<string, string>;
  facts?: RefusalFacts;
  /** Given when the id already stands in an event that was committed with the refusal. */
  refusalId?: string;
  /** An event type of its own, with what else it tells. */
  event?: RefusalEvent;
};

/** A refusal. */
export function refuse(
  error: OAuthError,
  reason: RefusalReason,
  description: string,
  more: Partial<Refusal> = {},
): Refusal {
  return { kind: 'refuse', error, reason, description, ...more };
}

/** The longest id, or value expected or got, that is written down. */
const longestFact = 256;

/** A time as it stands among the facts of a refusal. */
export function utcTime(time: Seconds): string {
  return new Date(time * 1000).toISOString().replace('.000Z', 'Z');
}

/** A short random id under which a refusal is found again. */
export function newRefusalId(context: Pick<Context, 'random'>): string {
  return randomId(context.random, 9);
}

/** Writes the refusal down (log, metric, event) and returns its id. */
export function recordRefusal(context: Context, input: Input, endpoint: string, refusal: Refusal): string {
  const refusalId = refusal.refusalId ?? newRefusalId(context);
  const { reason, error, description } = refusal;
  const facts = bounded(refusal.facts);
  context.metrics.refusals.inc({ endpoint, reason });
  context.log.info({ refusalId, endpoint, error, reason, description, ...facts, ip: input.ip }, 'refused');
  if (refusal.refusalId === undefined)
    context.refusals.add({
      refusalId,
      endpoint,
      error,
      reason,
      description,
      facts,
      origin: originOf(input),
      ...(refusal.event && { event: refusal.event }),
    });
  return refusalId;
}

/** What a client calls itself may be as long as a body: as much of it is kept as a right one can have. */
function bounded(facts: RefusalFacts = {}): RefusalFacts {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, value.slice(0, longestFact)]));
}

/** A description as it may stand in `error_description`: no quotation marks, backslashes or anything but printable ASCII. Source: RFC 6749 section 5.2. */
export function describeOnWire(description: string): string {
  return description.replaceAll('"', "'").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}

/** The refusal as the standard JSON answer. Source: RFC 6749 section 5.2. */
export function answerRefusal(context: Context, input: Input, endpoint: string, refusal: Refusal): Output {
  const refusalId = recordRefusal(context, input, endpoint, refusal);
  return json(
    refusal.status ?? errorStatus[refusal.error],
    { error: refusal.error, error_description: describeOnWire(refusal.description), refusal_id: refusalId },
    { ...refusal.headers, 'tessera-refusal-id': refusalId },
  );
}
