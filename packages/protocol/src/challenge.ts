/** The parameters of a challenge, in the order they are written. */
export type ChallengeParameters = Record<string, string | undefined>;

/**
 * One `WWW-Authenticate` challenge. Characters that a quoted-string cannot have are dropped, so no value can break out of its quotes.
 * Source: RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1.
 */
export function formatChallenge(scheme: 'Bearer' | 'DPoP' | 'Basic', parameters: ChallengeParameters): string {
  const written = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}="${(value as string).replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`);
  return written.length === 0 ? scheme : `${scheme} ${written.join(', ')}`;
}
