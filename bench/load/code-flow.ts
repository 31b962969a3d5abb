import { createHash, randomBytes } from 'node:crypto';
import { basicAuthorization, declared } from '../declared.ts';
import { headerOf, headersOf } from './http-connection.ts';
import type { Caller } from './target.ts';

/** What the token endpoint gave. */
export type Tokens = { access_token: string; refresh_token: string; id_token: string };

/** Which API the tokens are for; `undefined`: the issuer's own, with the claims of `profile` and `email`. */
export type Wanted = { audience: string; scope: string } | undefined;

const webAuthorization = { authorization: basicAuthorization(declared.web) };
const redirectUri = encodeURIComponent(declared.web.redirectUri);

/** The code flow of a browser that is signed in: authorization request, redirect with a code, code for tokens. Undefined when any step went wrong. */
export async function codeFlow(caller: Caller, cookie: string, wanted: Wanted): Promise<Tokens | undefined> {
  const verifier = randomBytes(32).toString('base64url');
  const answer = await caller.get(authorizationPath(caller, verifier, wanted), { cookie });
  const code = codeOf(headerOf(answer, 'location'));
  return code === undefined ? undefined : redeem(caller, code, verifier, wanted);
}

/** A whole sign-in: authorization request, sign-in page, password, redirect with a code. True when the code came. */
export async function signIn(caller: Caller, username: string, password: string): Promise<boolean> {
  const verifier = randomBytes(32).toString('base64url');
  return (
    (await browse(caller, authorizationPath(caller, verifier, declared.orders), { username, password })) !== undefined
  );
}

/** A whole sign-in, for its session: the Cookie header afterwards. */
export async function signInForCookie(caller: Caller, username: string, password: string): Promise<string> {
  const cookies = await browse(caller, authorizationPath(caller, 'x'.repeat(43), declared.orders), {
    username,
    password,
  });
  if (cookies === undefined)
    throw new Error(
      `"${username}" could not sign in at ${caller.target.issuer}; does it declare bench/tessera-bench.yaml?`,
    );
  return cookieHeader(cookies);
}

function authorizationPath(caller: Caller, verifier: string, wanted: Wanted): string {
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const scope = wanted ? `openid%20${encodeURIComponent(wanted.scope)}` : 'openid%20profile%20email';
  const resource = wanted ? `&resource=${encodeURIComponent(wanted.audience)}` : '';
  return `${caller.target.endpoints.authorize}?response_type=code&client_id=${declared.web.clientId}&redirect_uri=${redirectUri}&scope=${scope}${resource}&state=s&nonce=n&code_challenge_method=S256&code_challenge=${challenge}`;
}

async function redeem(caller: Caller, code: string, verifier: string, wanted: Wanted): Promise<Tokens | undefined> {
  const resource = wanted ? `&resource=${encodeURIComponent(wanted.audience)}` : '';
  const form = `grant_type=authorization_code&code=${encodeURIComponent(code)}&redirect_uri=${redirectUri}&code_verifier=${verifier}${resource}`;
  const answer = await caller.post(caller.target.endpoints.token, form, webAuthorization);
  return answer.status === 200 ? (JSON.parse(answer.body) as Tokens) : undefined;
}

/** Follows redirects, fills in the one sign-in form that comes, and returns the cookies once the code came. */
async function browse(
  caller: Caller,
  start: string,
  fields: { username: string; password: string },
): Promise<Map<string, string> | undefined> {
  const cookies = new Map<string, string>();
  const { issuer } = caller.target;
  let path = start;
  let form: string | undefined;
  for (let step = 0; step < 10; step++) {
    const headers = { cookie: cookieHeader(cookies), ...(form !== undefined && { origin: new URL(issuer).origin }) };
    const answer = form === undefined ? await caller.get(path, headers) : await caller.post(path, form, headers);
    for (const cookie of headersOf(answer, 'set-cookie')) keepCookie(cookies, cookie);
    form = undefined;
    if (answer.status === 302 || answer.status === 303) {
      const location = headerOf(answer, 'location') ?? '';
      if (codeOf(location) !== undefined) return cookies;
      const url = new URL(location, issuer);
      if (url.origin !== new URL(issuer).origin) return undefined;
      path = url.pathname + url.search;
      continue;
    }
    const action = /<form[^>]*action="([^"]*)"/.exec(answer.body)?.[1];
    if (answer.status !== 200 || action === undefined) return undefined;
    path = new URL(decodeEntities(action), issuer).pathname;
    form = new URLSearchParams({ ...hiddenFields(answer.body), ...fields }).toString();
  }
  return undefined;
}

function hiddenFields(html: string): Record<string, string> {
  const inputs = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return Object.fromEntries([...inputs].map(([, name = '', value = '']) => [name, decodeEntities(value)]));
}

function decodeEntities(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
}

function codeOf(location: string | undefined): string | undefined {
  const match = location?.startsWith(declared.web.redirectUri) ? /[?&]code=([^&]*)/.exec(location) : undefined;
  return match ? decodeURIComponent(match[1] as string) : undefined;
}

function keepCookie(cookies: Map<string, string>, text: string): void {
  const pair = text.split(';', 1)[0] as string;
  const name = pair.slice(0, pair.indexOf('='));
  if (/max-age=0|expires=Thu, 01 Jan 1970/i.test(text)) cookies.delete(name);
  else cookies.set(name, pair.slice(pair.indexOf('=') + 1));
}

function cookieHeader(cookies: ReadonlyMap<string, string>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}
