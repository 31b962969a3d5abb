import { type DecodedJwt, decodeJwt } from '@tessera/client/browser';
import type { GrantView, SessionView } from '../session-view.ts';
import { readSession } from './backend.ts';
import { client } from './clients.ts';

/** What the app holds, as the page shows it. Times are seconds since 1970. `refusedAt`: since when the API refuses it. */
export type HeldToken = {
  decoded: Extract<DecodedJwt, { ok: true }>;
  signature: string;
  expiresAt: number;
  lifetime: number;
  isBound: boolean;
  refusedAt?: number;
};

/** Takes the access token apart that the client holds now; undefined when it holds none. The refresh token never leaves the client. */
export async function readHeldToken(): Promise<HeldToken | undefined> {
  const tokens = await client.getTokens();
  const decoded = decodeJwt(tokens?.access_token);
  if (!tokens || !decoded.ok) return undefined;
  const expiresAt = tokens.expiresAt ?? decoded.claims.exp ?? 0;
  return {
    decoded,
    signature: tokens.access_token.split('.')[2] ?? '',
    expiresAt,
    lifetime: expiresAt - tokens.receivedAt,
    isBound: tokens.token_type === 'DPoP',
  };
}

/** The grant a token belongs to, as the server sees it. */
export function grantOf(session: SessionView | undefined, held: HeldToken | undefined): GrantView | undefined {
  return session?.grants.find(({ grantId }) => grantId === held?.decoded.claims.grant_id);
}

/** The grant of this app as it stands at the server now. Throws when the server cannot be asked. */
export async function readOwnGrant(): Promise<GrantView> {
  const grant = grantOf(await readSession(), await readHeldToken());
  if (!grant) throw new Error('the server could not be asked about the grant');
  return grant;
}
