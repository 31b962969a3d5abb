import type { Context } from '../context.ts';
import { json, type Output } from '../http/message.ts';

/** Liveness: the process answers. */
export function healthEndpoint(): Output {
  return json(200, { status: 'ok' });
}

/** Readiness: the store answers and there are keys to sign with; a draining server is not ready. */
export async function readinessEndpoint(context: Context, isDraining: boolean): Promise<Output> {
  if (isDraining) return json(503, { status: 'draining' }, { 'retry-after': '5' });
  await context.store.position();
  const canSign = context.signingKeys.currentKid('ES256') !== undefined;
  return canSign ? json(200, { status: 'ready' }) : json(503, { status: 'no signing key' }, { 'retry-after': '5' });
}

/** The metrics, in the text format of Prometheus. */
export async function metricsEndpoint(context: Context): Promise<Output> {
  return {
    status: 200,
    headers: { 'content-type': context.metrics.contentType, 'cache-control': 'no-store' },
    body: await context.metrics.expose(),
  };
}
