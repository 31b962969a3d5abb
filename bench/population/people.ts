import { randomSecret, systemRandom, timeOrderedId } from '../../packages/server/src/secrets/random.ts';
import { digestGrantSecret, grantSecretBytes } from '../../packages/server/src/tokens/refresh-token.ts';

/** One of a population: a user, signed in, with one grant. `grantSecret`: what the refresh token holds and the store only keeps a digest of. */
export type Person = {
  userId: string;
  username: string;
  email: string;
  sid: string;
  cookieDigest: string;
  grantId: string;
  grantSecret: Buffer;
  secretDigest: string;
};

/** A person whose sign-in was at that moment; ids are time-ordered, as the server makes them. */
export function makePerson(nowMs: number): Person {
  const userId = timeOrderedId(nowMs, systemRandom);
  const username = `person-${userId.toLowerCase()}`;
  const grantSecret = Buffer.from(systemRandom(grantSecretBytes));
  return {
    userId,
    username,
    email: `${username}@example.com`,
    sid: timeOrderedId(nowMs, systemRandom),
    // Of nobody's cookie: digests are random bytes to the store.
    cookieDigest: randomSecret(systemRandom),
    grantId: timeOrderedId(nowMs, systemRandom),
    grantSecret,
    secretDigest: digestGrantSecret(grantSecret),
  };
}
