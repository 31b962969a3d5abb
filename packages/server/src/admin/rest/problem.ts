import { type RefusalReason, refusalReasons } from '@tessera/protocol';
import * as z from 'zod';
import type { Context } from '../../context.ts';
import { newRefusalId } from '../../http/refusal.ts';
import type { Refused } from '../operation.ts';

/** What an answer that refuses looks like. Source: RFC 9457 section 3; `reason`, `refusal_id` and `field` are ours. */
export const problemSchema = z
  .strictObject({
    type: z.string().meta({ description: '`urn:tessera:refusal:` and the reason.' }),
    title: z.string().meta({ description: 'The reason in a sentence; the same for each refusal of this kind.' }),
    status: z.number().int(),
    detail: z.string().meta({ description: 'What was expected, what came, and what to do.' }),
    reason: z
      .enum(Object.keys(refusalReasons) as [RefusalReason, ...RefusalReason[]])
      .meta({ description: 'Stable; compare this.' }),
    refusal_id: z
      .string()
      .meta({ description: 'Finds the refusal in the log and at `/admin/api/refusals/{refusalId}`.' }),
    field: z.string().optional().meta({ description: 'The input at fault, the first if there are several.' }),
    errors: z
      .array(z.strictObject({ field: z.string(), detail: z.string() }))
      .optional()
      .meta({ description: 'All that is wrong with the input.' }),
  })
  .meta({ id: 'Problem' });

/** Where a refused request came from and what it asked for. */
export type Asked = { ip: string; method: string; path: string; userAgent: string };

const statuses: Partial<Record<RefusalReason, number>> = {
  not_found: 404,
  request_too_large: 413,
  permission_missing: 403,
  overloaded: 503,
};

/** The status a refused operation is answered with. */
export function statusOf(refused: Refused): number {
  if (refused.reason === 'conflict') return refused.stale ? 412 : 409;
  return statuses[refused.reason] ?? 400;
}

/** Writes a refusal down under a fresh id and answers it. `retryAfter` in seconds. */
export function answerProblem(
  context: Pick<Context, 'random' | 'metrics' | 'log' | 'refusals'>,
  asked: Asked,
  refused: Refused,
  retryAfter?: number,
): Response {
  const { reason, detail, field, problems } = refused;
  const refusalId = newRefusalId(context);
  const status = statusOf(refused);
  context.metrics.refusals.inc({ endpoint: 'admin', reason });
  const { method, path, ip, userAgent } = asked;
  context.log.info({ refusalId, endpoint: 'admin', reason, detail, method, path, ip }, 'refused');
  if (status < 500)
    context.refusals.add({
      refusalId,
      endpoint: 'admin',
      error: 'invalid_request',
      reason,
      description: detail,
      facts: { got: `${method} ${path}` },
      origin: { ip, userAgent },
    });
  const problem: z.output<typeof problemSchema> = {
    type: `urn:tessera:refusal:${reason}`,
    title: refusalReasons[reason],
    status,
    detail,
    reason,
    refusal_id: refusalId,
    ...(field === undefined ? {} : { field }),
    ...(problems === undefined ? {} : { errors: problems }),
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'tessera-refusal-id': refusalId,
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    },
  });
}
