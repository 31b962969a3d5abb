import type { MiddlewareHandler } from 'hono';
import type { Edge } from '../create-edge.ts';
import type { HeaderField, Requirement, VerifiedAccessToken } from '../verification.ts';
import { type Answer, metadataAnswer, refusalAnswer } from './answers.ts';
import { knownFacts, pathAndQueryOf, requestUrl } from './request-facts-of.ts';

/** What a protected Hono route finds in its context: `c.get('auth')` is the verified token. */
export type ProtectedEnv = { Variables: { auth: VerifiedAccessToken } };

/**
 * Hono middleware: lets a request pass when it carries a valid token that meets the requirement, and answers it otherwise. Also answers for the API's metadata
 * (RFC 9728). Needs a runtime with `node:crypto`.
 */
export function protect(edge: Edge, requirement: Requirement = {}): MiddlewareHandler<ProtectedEnv> {
  return async (context, next) => {
    const { method, url, raw } = context.req;
    const target = pathAndQueryOf(url);
    const metadata = metadataAnswer(edge, method, target);
    if (metadata) return respond(metadata);
    const facts = knownFacts(context, {
      method,
      url: edge.publicUrl === undefined ? url : requestUrl(edge.publicUrl, target),
      // Fetch joins several headers of one name with commas, which no token or proof has: they are refused as malformed.
      authorization: valuesOf(raw.headers.get('authorization')),
      dpop: valuesOf(raw.headers.get('dpop')),
      ...sourceOf(context.env),
    });
    const verification = await edge.verifyAccessToken(facts, requirement);
    if (!verification.ok) return respond(refusalAnswer(verification));
    context.set('auth', verification.token);
    await next();
    for (const [name, value] of verification.responseHeaders) context.header(name, value);
  };
}

/** Hono middleware that answers for the API's metadata alone, for apps that protect single routes. Source: RFC 9728 section 3. */
export function resourceMetadata(edge: Edge): MiddlewareHandler {
  return async (context, next) => {
    const metadata = metadataAnswer(edge, context.req.method, pathAndQueryOf(context.req.url));
    if (metadata) return respond(metadata);
    await next();
  };
}

function respond(answer: Answer): Response {
  const headers = new Headers();
  for (const [name, value] of answer.headers as HeaderField[]) headers.append(name, value);
  return new Response(answer.body === '' ? null : answer.body, { status: answer.status, headers });
}

function valuesOf(header: string | null): string[] {
  return header === null ? [] : [header];
}

/** The peer's address, where @hono/node-server tells it. */
function sourceOf(env: unknown): { source?: string } {
  const address = (env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined)?.incoming?.socket
    ?.remoteAddress;
  return address === undefined ? {} : { source: address };
}
