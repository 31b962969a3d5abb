import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Edge } from '../create-edge.ts';
import type { Requirement, VerifiedAccessToken } from '../verification.ts';
import { metadataAnswer, refusalAnswer, writeAnswer } from './answers.ts';
import { requestFactsOf } from './request-facts-of.ts';

/** A request that passed: `auth` is the verified token. */
export type ProtectedRequest = IncomingMessage & { auth: VerifiedAccessToken };

/**
 * Puts an edge in front of a handler of Node's http server: the handler runs only for requests with a valid token that meets the requirement. Also answers for the API's
 * metadata (RFC 9728). What the handler throws is answered with 500, unless it has begun to answer, and goes to standard error.
 */
export function protect(
  edge: Edge,
  requirement: Requirement,
  handler: (request: ProtectedRequest, response: ServerResponse) => unknown,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    void judgeAndHandle(edge, requirement, handler, request, response).catch((error: unknown) => {
      console.error('tessera edge: a protected handler failed:', error);
      if (response.headersSent) response.destroy();
      else writeAnswer(response, { status: 500, headers: [], body: '' });
    });
  };
}

async function judgeAndHandle(
  edge: Edge,
  requirement: Requirement,
  handler: (request: ProtectedRequest, response: ServerResponse) => unknown,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = request.url ?? '/';
  const metadata = metadataAnswer(edge, request.method ?? 'GET', target);
  if (metadata) return writeAnswer(response, metadata);
  const verification = await edge.verifyAccessToken(requestFactsOf(request, target, edge.publicUrl), requirement);
  // A time limit of the app may have answered meanwhile: there is nothing left to answer or to handle.
  if (response.headersSent) return;
  if (!verification.ok) return writeAnswer(response, refusalAnswer(verification));
  for (const [name, value] of verification.responseHeaders) response.setHeader(name, value);
  await handler(Object.assign(request, { auth: verification.token }), response);
}
