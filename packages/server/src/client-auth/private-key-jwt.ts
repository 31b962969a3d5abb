import { decodeJwt } from '@tessera/protocol';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { Context } from '../context.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import type { ClientRecord } from '../store/records.ts';
import type { ClientAuthMethodReader } from './methods.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const failed = 'client authentication failed';

/** The longest time, in seconds, that an assertion may still be good for. */
const longestLife = 300;

/** The longest `jti`: each is remembered while its assertion is good. */
const longestId = 256;

/** A JWT signed with the client's key, good once. Source: RFC 7523 sections 2.2 and 3, OpenID Connect Core 1.0 section 9. */
export const privateKeyJwt: ClientAuthMethodReader = {
  method: 'private_key_jwt',
  read(_input, { client_assertion, client_assertion_type, client_id }) {
    if (client_assertion === undefined && client_assertion_type === undefined) return undefined;
    if (client_assertion === undefined || client_assertion_type !== assertionType)
      return refuse(
        'invalid_request',
        'parameter_invalid',
        `client_assertion and client_assertion_type=${assertionType} go together`,
      );
    const subject = decodeJwt(client_assertion)?.payload.sub;
    if (typeof subject !== 'string') return refuse('invalid_client', 'client_assertion_invalid', failed);
    if (client_id !== undefined && client_id !== subject)
      return refuse(
        'invalid_request',
        'client_authentication_ambiguous',
        'client_id differs from the subject of client_assertion',
      );
    return { clientId: subject, check: (context, client) => checkAssertion(context, client, client_assertion) };
  },
};

async function checkAssertion(
  context: Context,
  client: ClientRecord | undefined,
  assertion: string,
): Promise<Refusal | undefined> {
  const invalid = (got: string) => refuse('invalid_client', 'client_assertion_invalid', failed, { facts: { got } });
  if (!client || client.jwks.length === 0) return invalid('no keys are registered');
  const now = context.now();
  const { issuer } = context.config;
  try {
    const { payload } = await jwtVerify(assertion, createLocalJWKSet({ keys: client.jwks }), {
      algorithms: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
      issuer: client.clientId,
      subject: client.clientId,
      requiredClaims: ['exp', 'jti', 'aud'],
      clockTolerance: 5,
      currentDate: new Date(now * 1000),
    });
    // One audience, and only this server: an assertion made for another server must be worth nothing here.
    const [audience, ...others] = [payload.aud].flat();
    if (others.length > 0 || (audience !== issuer && audience !== `${issuer}/token`))
      return invalid('aud is neither the issuer nor its token endpoint');
    if ((payload.exp as number) > now + longestLife + 5) return invalid(`exp lies more than ${longestLife} s ahead`);
    if (typeof payload.jti !== 'string' || payload.jti.length > longestId)
      return invalid(`jti is not text of at most ${longestId} characters`);
    const until = Math.ceil(payload.exp as number) + 10;
    const key = `assertion:${client.clientId}:${payload.jti}`;
    const remembered = await context.store.commit([{ change: 'remember', key, now, until }]);
    return remembered.outcome === 'committed'
      ? undefined
      : refuse('invalid_client', 'client_assertion_replayed', failed);
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_J'))
      return invalid(String(error.code));
    throw error;
  }
}
