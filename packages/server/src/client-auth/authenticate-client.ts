import type { Context } from '../context.ts';
import { sourceOf } from '../http/client-address.ts';
import type { Input } from '../http/message.ts';
import type { Parameters } from '../http/parameters.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import type { ClientRecord } from '../store/records.ts';
import type { Counted } from '../throttle.ts';
import { type ClientCredentials, clientAuthMethods } from './methods.ts';

/** A client that proved who it is, or (public) said so; or why not. */
export type ClientAuthentication = { kind: 'client'; client: ClientRecord } | Refusal;

const failed = 'client authentication failed';

/**
 * Authenticates the client of a request by the one method it is registered for. Unknown clients, disabled ones, wrong methods and wrong secrets get one and the same answer.
 * Failures are counted per client and source, and slow down only that source.
 * Source: RFC 6749 sections 2.3 and 5.2, OAuth 2.1 section 2.4.
 */
export async function authenticateClient(
  context: Context,
  input: Input,
  parameters: Parameters,
): Promise<ClientAuthentication> {
  const presented = readCredentials(input, parameters);
  if ('kind' in presented) return challenged(context, presented);
  const { method, credentials } = presented;
  const facts = { clientId: credentials.clientId };
  const counted = (): Counted[] => [
    {
      key: `client:${credentials.clientId.slice(0, 256)}:${sourceOf(input.ip)}`,
      limit: context.config.throttle.client,
    },
    { key: `source:${sourceOf(input.ip)}`, limit: context.config.throttle.source },
  ];
  const wait = method === 'none' ? 0 : await context.throttle.waitIfFailedLately(counted);
  if (wait > 0)
    return refuse('invalid_client', 'throttled', `too many failures; try again in ${wait} s`, {
      status: 429,
      headers: { 'retry-after': String(wait) },
      facts,
    });

  const client = await context.registry.client(credentials.clientId);
  const wrong = await credentials.check(context, client?.authMethod === method ? client : undefined);
  const refusal = !client
    ? refuse('invalid_client', 'client_unknown', failed, { facts })
    : client.authMethod !== method
      ? refuse('invalid_client', 'client_authentication_method_wrong', failed, {
          facts: { ...facts, expected: client.authMethod, got: method },
        })
      : (wrong ?? (client.disabled ? refuse('invalid_client', 'client_disabled', failed, { facts }) : undefined));
  if (!refusal) return { kind: 'client', client: client as ClientRecord };
  if (method !== 'none') await context.throttle.failed(counted());
  return challenged(context, { ...refusal, facts: { ...facts, ...refusal.facts } });
}

/** RFC 6749 section 5.2: who tried the Authorization header is told the scheme. */
function challenged(context: Context, refusal: Refusal): Refusal {
  if (refusal.error !== 'invalid_client') return refusal;
  return { ...refusal, headers: { 'www-authenticate': `Basic realm="${context.config.issuer}"` } };
}

function readCredentials(
  input: Input,
  parameters: Parameters,
): { method: ClientRecord['authMethod']; credentials: ClientCredentials } | Refusal {
  if (input.repeated.includes('authorization'))
    return refuse('invalid_request', 'malformed_request', 'the Authorization header came more than once');
  const found: { method: ClientRecord['authMethod']; credentials: ClientCredentials }[] = [];
  for (const { method, read } of clientAuthMethods) {
    if (method === 'none' && found.length > 0) break;
    const credentials = read(input, parameters);
    if (!credentials) continue;
    if ('kind' in credentials) return credentials;
    found.push({ method, credentials });
  }
  if (found.length > 1)
    return refuse(
      'invalid_request',
      'client_authentication_ambiguous',
      'the client must authenticate in one way, not in several',
    );
  return (
    found[0] ??
    refuse('invalid_client', 'client_authentication_missing', 'the client must authenticate, or send client_id')
  );
}
