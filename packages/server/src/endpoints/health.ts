import type { Context } from '../context.ts';
import { presentedAccessToken, refuseWithoutScope } from '../http/access-token-header.ts';
import { isFromHere } from '../http/client-address.ts';
import { type Input, json, type Output } from '../http/message.ts';
import { answerRefusal, type Refusal } from '../http/refusal.ts';
import { StoreWentBack } from '../store/journal/journaled-store.ts';
import { catchUp } from '../up-to-date.ts';

/** Liveness: the process answers. */
export function healthEndpoint(): Output {
  return json(200, { status: 'ok' });
}

/** Readiness: the store answers and has not gone back in time, this machine's clock goes with the database's, and there are keys to sign with; a draining server is not ready. */
export async function readinessEndpoint(context: Context, isDraining: boolean): Promise<Output> {
  if (isDraining) return json(503, { status: 'draining' }, { 'retry-after': '5' });
  try {
    // Here and not before: why it cannot be is what whoever asks wants to know.
    await catchUp(context);
    await context.store.position();
  } catch (error) {
    // Waiting does not help: somebody must act, and what they look at first is this.
    if (error instanceof StoreWentBack) return json(503, { status: 'the store went back in time; see the log' });
    throw error;
  }
  if (context.clock.isOff) return json(503, { status: 'clock off' }, { 'retry-after': '30' });
  const canSign = context.signingKeys.currentKid('ES256') !== undefined;
  return canSign ? json(200, { status: 'ready' }) : json(503, { status: 'no signing key' }, { 'retry-after': '5' });
}

/** The metrics, in the text format of Prometheus: for whoever asks from this machine and not through a proxy on it, and for access tokens of the admin API that may read events. */
export async function metricsEndpoint(context: Context, input: Input): Promise<Output> {
  const isOwn = isFromHere(input.ip, input.headers['x-forwarded-for']);
  const refusal = isOwn ? undefined : await refuseStranger(context, input);
  if (refusal) return answerRefusal(context, input, 'metrics', refusal);
  return {
    status: 200,
    headers: { 'content-type': context.metrics.contentType, 'cache-control': 'no-store' },
    body: await context.metrics.expose(),
  };
}

async function refuseStranger(context: Context, input: Input): Promise<Refusal | undefined> {
  const presented = await presentedAccessToken(context, input, `${context.config.issuer}/metrics`);
  if (presented.kind === 'refuse') return presented;
  return refuseWithoutScope(context, presented, metricsScope);
}

const metricsScope = 'tessera:events:read';
