import { createHash, randomBytes } from 'node:crypto';
import { decodeJwt } from '@tessera/client';

/** Which server to sign in at, and as which client. `redirectUri` is where the user comes back to. */
export type OpenIdClient = { issuer: string; clientId: string; secret: string; redirectUri: string; resource: string };

/** What must be remembered until the user is back: it ties the answer to this browser and this request. */
export type PendingSignIn = { state: string; nonce: string; verifier: string };

/** Who signed in, and the tokens, which stay on this server. */
export type SignedIn = { subject: string; name: string; idToken: string; accessToken: string; refreshToken: string };

/** Begins a sign-in: where to send the user, and what to remember. Source: OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636 section 4. */
export function beginSignIn(client: OpenIdClient): { url: string; pending: PendingSignIn } {
  const pending = { state: randomText(), nonce: randomText(), verifier: randomText() };
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: client.redirectUri,
    scope: 'openid profile',
    resource: client.resource,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: createHash('sha256').update(pending.verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  return { url: `${client.issuer}/authorize?${query}`, pending };
}

/**
 * Completes it: checks that the answer belongs to this browser and comes from this server, and redeems the code. Undefined for an answer that is not ours or says no.
 * Source: OpenID Connect Core 1.0 section 3.1.3, RFC 9207 section 2.4.
 */
export async function completeSignIn(
  client: OpenIdClient,
  pending: PendingSignIn | undefined,
  answer: URLSearchParams,
): Promise<SignedIn | undefined> {
  const code = answer.get('code');
  const isOurs = pending !== undefined && answer.get('state') === pending.state && answer.get('iss') === client.issuer;
  if (!isOurs || code === null) return undefined;
  const redirect_uri = client.redirectUri;
  const tokens = await askForTokens(client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri,
    code_verifier: pending.verifier,
  });
  return tokens && readTokens(client, tokens, pending.nonce);
}

/** Exchanges the refresh token. Undefined when the server refuses it: the session behind it has ended. Source: OAuth 2.1 section 4.3. */
export async function refreshSignIn(client: OpenIdClient, signedIn: SignedIn): Promise<SignedIn | undefined> {
  const tokens = await askForTokens(client, { grant_type: 'refresh_token', refresh_token: signedIn.refreshToken });
  return (
    tokens && {
      ...signedIn,
      accessToken: String(tokens.access_token),
      refreshToken: String(tokens.refresh_token),
      idToken: String(tokens.id_token ?? signedIn.idToken),
    }
  );
}

/** Where to send the user to end the session at the server too, and so for every app. Source: OpenID Connect RP-Initiated Logout 1.0 section 2. */
export function signOutUrl(client: OpenIdClient, signedIn: SignedIn, back: string): string {
  const query = new URLSearchParams({ id_token_hint: signedIn.idToken, post_logout_redirect_uri: back });
  return `${client.issuer}/end-session?${query}`;
}

async function askForTokens(
  client: OpenIdClient,
  form: Record<string, string>,
): Promise<Record<string, unknown> | undefined> {
  const response = await fetch(`${client.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client.clientId}:${client.secret}`).toString('base64')}` },
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(5000),
  });
  const body = (await response.json()) as Record<string, unknown>;
  if (response.ok) return body;
  // Only this says that the sign-in is over; anything else is a failure, and the user stays signed in.
  if (body.error === 'invalid_grant') return undefined;
  throw new Error(`the token endpoint answered ${response.status} ${String(body.error)}`);
}

/** The ID token came straight from the server, so its signature need not be checked; its claims must be. Source: OpenID Connect Core 1.0 section 3.1.3.7. */
function readTokens(client: OpenIdClient, tokens: Record<string, unknown>, nonce: string): SignedIn {
  const idToken = String(tokens.id_token);
  const decoded = decodeJwt(idToken);
  const claims = decoded.ok ? decoded.claims : {};
  const isForUs = claims.iss === client.issuer && [claims.aud].flat().includes(client.clientId);
  const isFresh = claims.nonce === nonce && (claims.exp ?? 0) > Date.now() / 1000;
  if (!isForUs || !isFresh || typeof claims.sub !== 'string')
    throw new Error('the ID token is not one for this app and this sign-in');
  return {
    subject: claims.sub,
    name: typeof claims.name === 'string' ? claims.name : claims.sub,
    idToken,
    accessToken: String(tokens.access_token),
    refreshToken: String(tokens.refresh_token),
  };
}

function randomText(): string {
  return randomBytes(32).toString('base64url');
}
