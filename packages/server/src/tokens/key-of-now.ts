import { decodeJwt } from '@tessera/protocol';
import type { Context } from '../context.ts';

/**
 * Reads a token by `read`; if that fails and the token names a key this process has not met, reads again after catching up with the store: another node may have made the
 * key, and signed with it, a moment ago.
 */
export async function readWithKeysOfNow<T>(
  context: Pick<Context, 'signingKeys' | 'follower'>,
  token: string,
  read: () => T | undefined,
): Promise<T | undefined> {
  const found = read();
  if (found !== undefined) return found;
  const kid = decodeJwt(token)?.header.kid;
  if (typeof kid !== 'string' || context.signingKeys.knows(kid)) return undefined;
  await context.follower.catchUp();
  return context.signingKeys.knows(kid) ? read() : undefined;
}
