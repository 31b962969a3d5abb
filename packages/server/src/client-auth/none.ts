import type { ClientAuthMethodReader } from './methods.ts';

/** A public client: it names itself and proves nothing. Source: RFC 6749 section 2.1, OAuth 2.1 section 2.4. */
export const none: ClientAuthMethodReader = {
  method: 'none',
  read: (_input, { client_id }) =>
    client_id === undefined ? undefined : { clientId: client_id, check: async () => undefined },
};
