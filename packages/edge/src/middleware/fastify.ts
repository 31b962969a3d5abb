import type { FastifyPluginCallback, FastifyReply, onRequestAsyncHookHandler } from 'fastify';
import type { Edge } from '../create-edge.ts';
import type { Requirement, VerifiedAccessToken } from '../verification.ts';
import { type Answer, authOf, groupHeaders, metadataAnswer, refusalAnswer } from './answers.ts';
import { requestFactsOf } from './request-facts-of.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified token; there on routes behind `protect`. `authOf(request)` gives it without the doubt. */
    auth?: VerifiedAccessToken;
  }
}

export { authOf };

/**
 * Fastify hook, for `onRequest` of a route, a plugin or the whole server: lets a request pass when it carries a valid token that meets the requirement, and answers it
 * otherwise, before its body is read.
 */
export function protect(edge: Edge, requirement: Requirement = {}): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const metadata = metadataAnswer(edge, request.method, request.originalUrl);
    if (metadata) return send(reply, metadata);
    const facts = requestFactsOf(request.raw, request.originalUrl, edge.publicUrl);
    const verification = await edge.verifyAccessToken(facts, requirement);
    // A time limit of the app may have answered meanwhile: there is nothing left to answer or to handle.
    if (reply.sent) return reply;
    if (!verification.ok) return send(reply, refusalAnswer(verification));
    for (const [name, value] of verification.responseHeaders) reply.header(name, value);
    request.auth = verification.token;
  };
}

/** Fastify plugin that answers for the API's metadata. Source: RFC 9728 section 3. */
export function resourceMetadata(edge: Edge): FastifyPluginCallback {
  return (server, _options, done) => {
    const path = edge.metadataUrl === undefined ? undefined : new URL(edge.metadataUrl).pathname;
    if (path !== undefined)
      server.route({
        method: ['GET', 'OPTIONS'],
        url: path,
        // The router has judged the path, and takes more spellings of it for this one than a comparison of texts would.
        handler: (request, reply) => send(reply, metadataAnswer(edge, request.method, path) as Answer),
      });
    done();
  };
}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  return reply
    .code(answer.status)
    .headers(Object.fromEntries(groupHeaders(answer.headers)))
    .send(answer.body);
}
