import type { ServerResponse } from 'node:http';
import type { Edge } from '../create-edge.ts';
import type { HeaderField, Refusal, VerifiedAccessToken } from '../verification.ts';
import { pathAndQueryOf } from './request-facts-of.ts';

/** An answer every framework can write. The body is JSON text, or empty. */
export type Answer = { status: number; headers: readonly HeaderField[]; body: string };

/** The answer to a refused request. */
export function refusalAnswer(refusal: Refusal): Answer {
  return {
    status: refusal.status,
    headers: [['Content-Type', 'application/json'], ...refusal.headers],
    body: JSON.stringify(refusal.body),
  };
}

/**
 * The API's metadata, when that is what was asked for: anyone may read it, from any origin, since clients need it before they have a token. Undefined for every other
 * request. Source: RFC 9728 sections 3.1 and 3.2.
 */
export function metadataAnswer(edge: Edge, method: string, target: string): Answer | undefined {
  const metadata = edge.metadata();
  if (!metadata || edge.metadataUrl === undefined) return undefined;
  const { pathname, search } = new URL(edge.metadataUrl);
  const asked = pathAndQueryOf(target);
  if (asked !== pathname + search && asked.split('?', 1)[0] !== pathname) return undefined;
  const open: HeaderField[] = [
    ['Access-Control-Allow-Origin', '*'],
    ['Access-Control-Allow-Methods', 'GET'],
    ['Access-Control-Allow-Headers', '*'],
  ];
  if (method === 'OPTIONS') return { status: 204, headers: open, body: '' };
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const headers: HeaderField[] = [...open, ['Content-Type', 'application/json'], ['Cache-Control', 'max-age=300']];
  return { status: 200, headers, body: method === 'HEAD' ? '' : JSON.stringify(metadata) };
}

/** Writes an answer with Node's own response. Headers the app has set stay, also its own `WWW-Authenticate`. */
export function writeAnswer(response: ServerResponse, answer: Answer): void {
  response.statusCode = answer.status;
  for (const [name, values] of groupHeaders(answer.headers)) response.setHeader(name, values);
  response.end(answer.body);
}

/** Headers by name: a name that stands twice becomes a list, which Node and Fastify write as two fields. */
export function groupHeaders(headers: readonly HeaderField[]): [string, string | string[]][] {
  const grouped = new Map<string, string | string[]>();
  for (const [name, value] of headers) {
    const held = grouped.get(name);
    grouped.set(name, held === undefined ? value : [held, value].flat());
  }
  return [...grouped];
}

/** The verified token of a protected request. Throws `TypeError` on a route that is not protected, so that a forgotten `protect` is found at once. */
export function authOf(request: { auth?: VerifiedAccessToken | undefined }): VerifiedAccessToken {
  if (!request.auth) throw new TypeError('request.auth is missing: put protect(edge) in front of this route');
  return request.auth;
}
