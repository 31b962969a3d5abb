import { checkClientSecret } from './check-client-secret.ts';
import type { ClientAuthMethodReader } from './methods.ts';

/** The secret in the form. Source: RFC 6749 section 2.3.1. */
export const clientSecretPost: ClientAuthMethodReader = {
  method: 'client_secret_post',
  read: (_input, { client_id, client_secret }) =>
    client_id === undefined || client_secret === undefined
      ? undefined
      : { clientId: client_id, check: (context, client) => checkClientSecret(context, client, client_secret) },
};
