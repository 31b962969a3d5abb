import type { Seconds } from '@tessera/protocol';
import type { Random } from '../secrets/random.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import { sameText, seal, unseal } from '../secrets/sealed.ts';
import { UsedLately } from '../store/used-lately.ts';

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

/** How many codes are kept at hand, at least: some 1.5 MiB, twice that at most. */
const mostAtHand = 512;
// As far as the salt reaches, which is no secret to whoever has the code and another in each.
const nameLength = 26;
/** The codes this process made last, by the beginning of their text; for each server of the process its own. */
const atHand = new WeakMap<RootKeys, UsedLately<{ text: string; code: AuthorizationCode }>>();

/** The text of an authorization code. `code` is kept at hand, and must not be changed any more. */
export function sealAuthorizationCode(keys: RootKeys, code: AuthorizationCode, random: Random): string {
  const text = seal(keys, 'authorization-code', code, random);
  const known = atHand.get(keys) ?? new UsedLately<{ text: string; code: AuthorizationCode }>(mostAtHand);
  atHand.set(keys, known);
  known.set(text.slice(0, nameLength), { text, code });
  return text;
}

/**
 * What an authorization code carries, or undefined when this server did not make it. One that this very process made is known by its text when it comes for the first time; any other is
 * opened, which costs more than half as much as a signature.
 */
export function openAuthorizationCode(keys: RootKeys, text: string): AuthorizationCode | undefined {
  const name = text.slice(0, nameLength);
  const known = atHand.get(keys)?.get(name);
  if (!known || !sameText(known.text, text))
    return unseal(keys, 'authorization-code', text) as AuthorizationCode | undefined;
  atHand.get(keys)?.delete(name);
  return known.code;
}
