import type { Context } from '../context.ts';
import { answer, mostBodyBytes, tooLarge } from './door.ts';
import type { Input, Output } from './message.ts';
import { pathBelow } from './node-door.ts';
import type { Routed } from './routes.ts';

/** The door for fetch's Request and Response: for embedding the server, and for tests. `ip` is the client's address, which a Request does not tell. */
export function fetchDoor(context: Context, routed: Routed, base: string) {
  return async (request: Request, ip = '127.0.0.1'): Promise<Response> => {
    const url = new URL(request.url);
    const body = request.method === 'GET' || request.method === 'HEAD' ? '' : await request.text();
    const input: Input = {
      method: request.method,
      path: pathBelow(base, url.pathname),
      query: url.search.slice(1),
      headers: Object.assign(Object.create(null), Object.fromEntries(request.headers)),
      repeated: [],
      body,
      ip,
      onGone: (listener) => request.signal.addEventListener('abort', listener, { once: true }),
      isGone: () => request.signal.aborted,
    };
    const output = body.length > mostBodyBytes ? tooLarge(context, input) : await answer(context, routed, input);
    return toResponse(output);
  };
}

function toResponse(output: Output): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(output.headers))
    for (const one of [value].flat()) headers.append(name, one);
  const hasBody = output.body !== '' && output.status !== 204 && output.status !== 304;
  return new Response(hasBody ? output.body : null, { status: output.status, headers });
}
