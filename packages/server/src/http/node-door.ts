import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from '../context.ts';
import type { ClientAddress } from './client-address.ts';
import { answer, mostBodyBytes, tooLarge } from './door.ts';
import type { Input, Output } from './message.ts';
import type { Routed } from './routes.ts';
import { together } from './together.ts';

/** Headers of which two would be read differently by two readers. */
const single = new Set(['authorization', 'dpop']);

/** The door for node:http, which is all requests in production. `base`: the issuer's path. Resolves when the answer is handed over, or nobody waits for it. */
export function nodeDoor(context: Context, routed: Routed, base: string, clientAddress: ClientAddress) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const input = readHead(request, response, base, clientAddress);
    if (request.method === 'GET' || request.method === 'HEAD') request.resume();
    else {
      const body = await readBody(request);
      if (body === undefined) {
        response.shouldKeepAlive = false;
        return write(response, tooLarge(context, input), true);
      }
      input.body = body;
    }
    await together();
    write(response, await answer(context, routed, input), routed.isDraining());
  };
}

function readHead(
  request: IncomingMessage,
  response: ServerResponse,
  base: string,
  clientAddress: ClientAddress,
): Input {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const headers: Input['headers'] = Object.create(null);
  const repeated: string[] = [];
  const { rawHeaders } = request;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (single.has(name)) repeated.push(name);
    else headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return {
    method: request.method ?? 'GET',
    path: pathBelow(base, path),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    repeated,
    body: '',
    ip: clientAddress(request.socket.remoteAddress ?? '', headers['x-forwarded-for']),
    onGone: (listener) => void response.once('close', listener),
    isGone: () => response.destroyed,
  };
}

/** The path below the issuer's. RFC 8414 section 3.1 puts the metadata of an issuer with a path before that path. */
export function pathBelow(base: string, path: string): string {
  if (base === '') return path;
  const wellKnown = '/.well-known/oauth-authorization-server';
  if (path === `${wellKnown}${base}`) return wellKnown;
  if (path === base) return '/';
  return path.startsWith(`${base}/`) ? path.slice(base.length) : '/.outside';
}

/** The body as text; undefined when it is too large. Settles never when the client is gone before all of it came. */
function readBody(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    let only: Buffer | undefined;
    let chunks: Buffer[] | undefined;
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > mostBodyBytes) {
        resolve(undefined);
        chunks = undefined;
      } else if (only === undefined) only = chunk;
      else {
        chunks ??= [only];
        chunks.push(chunk);
      }
    });
    request.on('end', () => resolve((chunks ? Buffer.concat(chunks) : only)?.toString('utf8') ?? ''));
    // Without a listener a broken connection would be thrown.
    request.on('error', () => undefined);
  });
}

function write(response: ServerResponse, { status, headers, body }: Output, isLast: boolean): void {
  if (response.destroyed) return;
  if (isLast) response.shouldKeepAlive = false;
  headers['content-length'] = String(Buffer.byteLength(body));
  response.writeHead(status, headers);
  response.end(body);
}
