import { refuse } from '../http/refusal.ts';
import { checkClientSecret } from './check-client-secret.ts';
import type { ClientAuthMethodReader } from './methods.ts';

/** The secret in the Authorization header; both halves are form-encoded before they are base64-encoded. Source: RFC 6749 section 2.3.1. */
export const clientSecretBasic: ClientAuthMethodReader = {
  method: 'client_secret_basic',
  read(input, parameters) {
    const match = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(input.headers.authorization ?? '');
    if (!match) return undefined;
    const text = Buffer.from(match[1] as string, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    const clientId = formDecode(text.slice(0, colon));
    const secret = formDecode(text.slice(colon + 1));
    if (colon < 1 || clientId === undefined || secret === undefined)
      return refuse(
        'invalid_client',
        'malformed_request',
        'the Authorization header is not "Basic" with a form-encoded client_id and secret',
      );
    if (parameters.client_id !== undefined && parameters.client_id !== clientId)
      return refuse(
        'invalid_request',
        'client_authentication_ambiguous',
        'client_id differs from the one in the Authorization header',
      );
    return { clientId, check: (context, client) => checkClientSecret(context, client, secret) };
  },
};

function formDecode(text: string): string | undefined {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
