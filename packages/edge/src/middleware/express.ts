import type { RequestHandler } from 'express';
import type { Edge } from '../create-edge.ts';
import type { Requirement, VerifiedAccessToken } from '../verification.ts';
import { authOf, metadataAnswer, refusalAnswer, writeAnswer } from './answers.ts';
import { requestFactsOf } from './request-facts-of.ts';

declare global {
  namespace Express {
    interface Request {
      /** The verified token; there on routes behind `protect`. `authOf(request)` gives it without the doubt. */
      auth?: VerifiedAccessToken;
    }
  }
}

export { authOf };

/**
 * Express middleware: lets a request pass when it carries a valid token that meets the requirement, and answers it otherwise. Works on an app, a router or a single route; on an
 * app it answers for the API's metadata (RFC 9728) too.
 */
export function protect(edge: Edge, requirement: Requirement = {}): RequestHandler {
  return (request, response, next) => {
    const metadata = metadataAnswer(edge, request.method, request.originalUrl);
    if (metadata) return writeAnswer(response, metadata);
    edge
      .verifyAccessToken(requestFactsOf(request, request.originalUrl, edge.publicUrl), requirement)
      .then((verification) => {
        // A time limit of the app may have answered meanwhile: there is nothing left to answer or to handle.
        if (response.headersSent) return;
        if (!verification.ok) return writeAnswer(response, refusalAnswer(verification));
        for (const [name, value] of verification.responseHeaders) response.setHeader(name, value);
        request.auth = verification.token;
        next();
      })
      .catch(next);
  };
}

/** Express middleware that answers for the API's metadata alone, for apps that protect single routes. Source: RFC 9728 section 3. */
export function resourceMetadata(edge: Edge): RequestHandler {
  return (request, response, next) => {
    const metadata = metadataAnswer(edge, request.method, request.originalUrl);
    if (metadata) writeAnswer(response, metadata);
    else next();
  };
}
