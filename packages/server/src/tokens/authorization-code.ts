import type { Seconds } from '@tessera/protocol';
import type { Random } from '../secrets/random.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import { seal, unseal } from '../secrets/sealed.ts';

/**
 * What an authorization code carries: all that its redemption needs. It is sealed, not stored; it works once because redeeming it creates the grant whose id it
 * carries.
 */
export type AuthorizationCode = {
  grantId: string;
  clientId: string;
  userId: string;
  sid: string;
  /** Only when the authorization request named one. */
  redirectUri: string | undefined;
  scopes: string[];
  resources: string[];
  kind: 'session' | 'offline';
  authTime: Seconds;
  amr: string[];
  acr: string;
  codeChallenge?: string;
  nonce?: string;
  claims?: Record<string, unknown>;
  /** How often everything of the client, and of the issuer, had been cut off when the code was issued: a cut ends pending codes too. */
  clientEpoch: number;
  issuerEpoch: number;
  /** The key the request bound the code to. Source: RFC 9449 section 10. */
  dpopJkt?: string;
  expiresAt: Seconds;
};

/** The text of an authorization code. */
export function sealAuthorizationCode(keys: RootKeys, code: AuthorizationCode, random: Random): string {
  return seal(keys, 'authorization-code', code, random);
}

/** What an authorization code carries, or undefined when this server did not make it. */
export function openAuthorizationCode(keys: RootKeys, text: string): AuthorizationCode | undefined {
  return unseal(keys, 'authorization-code', text) as AuthorizationCode | undefined;
}
