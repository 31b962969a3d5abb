import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Context } from '../../context.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import { addGeneralHeaders } from '../../http/door.ts';
import { authorizeAdmin } from '../authorize-admin.ts';
import { createAdminApi } from './admin-api.ts';

/** The two ways into the admin API: without a network, and from node:http. */
export type AdminDoor = {
  /** `ip`: the client's address, which a Request does not tell. */
  fetch(request: Request, ip?: string): Promise<Response>;
  listener(request: IncomingMessage, response: ServerResponse): Promise<void>;
};

/** Makes the admin API of a server. `base`: the issuer's path, which its own paths do not have. `clientAddress` finds who asks. */
export function openAdminDoor(context: Context, base: string, clientAddress: ClientAddress): AdminDoor {
  const api = createAdminApi(context, authorizeAdmin(context));
  const headers: Record<string, string> = {};
  addGeneralHeaders(context.config.issuer, headers);
  const answer = async (request: Request, ip = '127.0.0.1') => {
    const response = await api.fetch(withoutBase(request, base), { ip });
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };
  const listener = getRequestListener((request, { incoming }) =>
    answer(
      request,
      clientAddress(incoming.socket.remoteAddress ?? '', request.headers.get('x-forwarded-for') ?? undefined),
    ),
  );
  return { fetch: answer, listener: async (request, response) => void (await listener(request, response)) };
}

function withoutBase(request: Request, base: string): Request {
  if (base === '') return request;
  const url = new URL(request.url);
  url.pathname = url.pathname.slice(base.length);
  return new Request(url, request);
}
