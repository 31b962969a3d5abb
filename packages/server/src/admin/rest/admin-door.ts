import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Context } from '../../context.ts';
import { authorizeAdmin } from '../authorize-admin.ts';
import { createAdminApi } from './admin-api.ts';

/** The two ways into the admin API: without a network, and from node:http. */
export type AdminDoor = {
  fetch(request: Request): Promise<Response>;
  listener(request: IncomingMessage, response: ServerResponse): Promise<void>;
};

/** Makes the admin API of a server. `base`: the issuer's path, which its own paths do not have. */
export function openAdminDoor(context: Context, base: string): AdminDoor {
  const api = createAdminApi(context, authorizeAdmin(context));
  const answer = async (request: Request) => api.fetch(withoutBase(request, base));
  const listener = getRequestListener(answer);
  return { fetch: answer, listener: async (request, response) => void (await listener(request, response)) };
}

function withoutBase(request: Request, base: string): Request {
  if (base === '') return request;
  const url = new URL(request.url);
  url.pathname = url.pathname.slice(base.length);
  return new Request(url, request);
}
