import { createEndSessionRequest } from '../core/end-session-request.ts';
import {
  type AuthorizationParameters,
  isClientError,
  memoryStorage,
  type SignOutResult,
  TesseraClientError,
  TokenClient,
  type TokenClientOptions,
  type UserClaims,
} from '../core/index.ts';
import { systemRuntime } from '../core/runtime.ts';
import { parseRedirectUri } from '../core/secure-url.ts';
import { indexedDbDpopKeys } from './indexed-db-dpop-keys.ts';
import { type Page, windowPage } from './page.ts';
import { RedirectTraces, type SignInTrace } from './redirect-traces.ts';
import { openTabChannel, type TabChannel } from './tab-channel.ts';
import { webLock } from './web-lock.ts';

/** Options of the browser client: those of the core, and where redirects lead. */
export type TesseraClientOptions = TokenClientOptions & {
  /** Where the server sends the user back to; registered for the client. May be relative to the page, like `/callback`. */
  redirect_uri: string;
  /** Where the server sends the user after `signOut({ everywhereInThisBrowser: true })`; registered for the client. May be relative. */
  post_logout_redirect_uri?: string | undefined;
  /** Shows the place the user came from. Default: puts its address into the address bar without loading it. Give your router's `replace`. */
  showPlace?: ((returnTo: string) => void) | undefined;
  /** The page. Default: the window's. */
  page?: Page | undefined;
};

/** What an app may say when it sends somebody to sign in. */
export type SignInOptions = AuthorizationParameters & {
  /** Where to come back to, on this origin. Default: the place shown now. */
  returnTo?: string | undefined;
};

/** How far a sign-out goes. */
export type SignOutOptions = {
  /** Also ends this browser's session at the server, and with it the sign-ins of other apps there (RP-initiated logout). Leaves the page. Default false. */
  everywhereInThisBrowser?: boolean | undefined;
  /** Where to come back to after that, on this origin. Default: the start page, `/`. */
  returnTo?: string | undefined;
  /** Languages for the server's page, in order of preference. */
  ui_locales?: string | undefined;
};

/** What `handleRedirect` found in the address. */
export type RedirectResult =
  | { kind: 'none' }
  | { kind: 'signed_in'; returnTo: string; user: UserClaims | undefined }
  | { kind: 'signed_out'; returnTo: string };

const responseParameters = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'session_state'];
/** How long a sign-out waits for the revocation before it leaves the page; the request itself outlives the page. */
const longestRevocationWaitMs = 2000;
const settleAgainAfterMs = [5_000, 30_000, 300_000];

/**
 * Makes the client of a browser app. Nothing is sent or stored by making it, except that revocations still owed from an earlier sign-out are sent.
 * Throws `insecure_url` for an issuer or redirect that is neither https nor loopback, `TypeError` for options that make no sense.
 */
export function createTesseraClient(options: TesseraClientOptions): TesseraClient {
  return new TesseraClient(options);
}

/** The client of a browser app: signs in and out by redirect, keeps the tokens, calls APIs. Made by `createTesseraClient`. */
export class TesseraClient extends TokenClient {
  readonly #page: Page;
  readonly #redirectUri: URL;
  readonly #postLogoutRedirectUri: URL | undefined;
  readonly #showPlace: (returnTo: string) => void;
  readonly #traces: RedirectTraces;
  readonly #channel: TabChannel | undefined;
  #redirect: Promise<RedirectResult> | undefined;
  #isClosed = false;
  /** Where the user was before a sign-in that failed on this page: the next one leads back there. */
  #placeBeforeFailure: string | undefined;
  readonly #stopListening: (() => void) | undefined;

  constructor(options: TesseraClientOptions) {
    const page = options.page ?? windowPage();
    super(withBrowserDefaults(options, page));
    this.#page = page;
    this.#redirectUri = redirectTo(options.redirect_uri, 'redirect_uri', page);
    const afterLogout = options.post_logout_redirect_uri;
    this.#postLogoutRedirectUri =
      afterLogout === undefined ? undefined : redirectTo(afterLogout, 'post_logout_redirect_uri', page);
    this.#showPlace = options.showPlace ?? ((returnTo) => page.replaceAddress(returnTo));
    this.#traces = new RedirectTraces(page, this.name, () => this.context.runtime.now());
    if (this.storage.reach === 'browser') {
      this.#channel = openTabChannel(this.name, () => this.announceElsewhere());
      this.onChange(({ reason }) => reason !== 'elsewhere' && this.#channel?.announce());
    }
    globalThis.addEventListener?.('online', this.#settle);
    this.#stopListening = page.onShownAgain?.(() => this.#catchUp());
    if (this.storage.reach !== 'page') this.#settle();
  }

  /**
   * Sends the user to the server to sign in. Resolves when the page is about to be left. Throws `network` or `server_unavailable` when the server's metadata
   * cannot be had, and `TypeError` for a `returnTo` on another origin.
   */
  async signIn({ returnTo, ...parameters }: SignInOptions = {}): Promise<void> {
    const place = this.#placeHere(returnTo ?? this.#currentPlace());
    try {
      const { url, pending } = await this.createAuthorizationRequest(this.#redirectUri.href, parameters);
      this.#traces.keep(pending.state, { kind: 'sign_in', pending, returnTo: place });
      this.#page.assign(url.href);
    } catch (error) {
      this.announceSignInAgain();
      throw error;
    }
  }

  /**
   * Call it once when the page loads: completes a sign-in or sign-out the address tells of, and shows the place the user came from. `none` on any other
   * address. Calls while one is under way share it. Throws `state_mismatch`, `issuer_mismatch`, `authorization_refused` (with `error`, for
   * example `access_denied`, and `returnTo`), `invalid_id_token` and what a token request throws; the answer is then gone from the address, so a reload does not repeat it.
   */
  async handleRedirect(): Promise<RedirectResult> {
    this.#redirect ??= this.#handleRedirect().finally(() => {
      this.#redirect = undefined;
    });
    return this.#redirect;
  }

  /**
   * Ends the sign-in: forgets everything here at once and asks the server to revoke; without network it is told later. With `everywhereInThisBrowser` it then
   * leaves for the server's end-session endpoint; `redirected` is false if that could not be reached or does not exist.
   */
  override async signOut(options: SignOutOptions = {}): Promise<SignOutResult & { redirected: boolean }> {
    if (options.everywhereInThisBrowser !== true) return { ...(await this.#signOutHere()), redirected: false };
    const returnTo = this.#placeHere(options.returnTo ?? '/');
    const id_token_hint = (await this.getTokens())?.id_token;
    const tooLong = this.context.runtime
      .wait(longestRevocationWaitMs)
      .then((): SignOutResult => ({ revocation: 'pending' }));
    const result = await Promise.race([this.#signOutHere(), tooLong]);
    return { ...result, redirected: await this.#leaveForEndSession(id_token_hint, returnTo, options.ui_locales) };
  }

  /** Stops listening to other tabs and to the network coming back. For pages that make and drop clients, and for tests. */
  close(): void {
    this.#isClosed = true;
    this.#channel?.close();
    this.#stopListening?.();
    globalThis.removeEventListener?.('online', this.#settle);
  }

  async #handleRedirect(): Promise<RedirectResult> {
    const address = new URL(this.#page.href());
    const state = address.searchParams.get('state');
    if (state === null) return { kind: 'none' };
    if (isSamePlace(address, this.#postLogoutRedirectUri)) {
      const signOut = this.#traces.take('sign_out', state);
      if (signOut !== undefined) {
        this.#showPlace(signOut.returnTo);
        return { kind: 'signed_out', returnTo: signOut.returnTo };
      }
    }
    const isAnswer = address.searchParams.has('code') || address.searchParams.has('error');
    if (!isAnswer || !isSamePlace(address, this.#redirectUri)) return { kind: 'none' };
    return this.#completeSignIn(address, state);
  }

  async #completeSignIn(address: URL, state: string): Promise<RedirectResult> {
    let signIn: SignInTrace | undefined;
    try {
      signIn = this.#traces.take('sign_in', state);
      if (signIn === undefined) {
        throw new TesseraClientError(
          'state_mismatch',
          'this tab has begun no sign-in with that state, or it was answered already: expected an answer to signIn() of this tab, and only one client on the page',
        );
      }
      await this.redeemAuthorizationResponse(signIn.pending, address.searchParams);
    } catch (error) {
      this.#page.replaceAddress(withoutResponse(address).href);
      this.#placeBeforeFailure = signIn?.returnTo;
      throw isClientError(error) ? withReturnTo(error, signIn?.returnTo) : error;
    }
    // A router may take its time to show the place; until then nobody must find the spent code in the address.
    this.#page.replaceAddress(withoutResponse(address).href);
    this.#showPlace(signIn.returnTo);
    return { kind: 'signed_in', returnTo: signIn.returnTo, user: await this.getUser() };
  }

  async #signOutHere(): Promise<SignOutResult> {
    const result = await super.signOut();
    if (result.revocation === 'pending') this.#settleAgain(0);
    return result;
  }

  async #leaveForEndSession(
    id_token_hint: string | undefined,
    returnTo: string,
    ui_locales: string | undefined,
  ): Promise<boolean> {
    const post_logout_redirect_uri = this.#postLogoutRedirectUri?.href;
    try {
      const request = await createEndSessionRequest(this.context, {
        id_token_hint,
        post_logout_redirect_uri,
        ui_locales,
      });
      if (request === undefined) return false;
      if (request.state !== undefined) this.#traces.keep(request.state, { kind: 'sign_out', returnTo });
      this.#page.assign(request.url.href);
      return true;
    } catch (error) {
      if (isClientError(error, 'network', 'server_unavailable', 'storage_unavailable')) return false;
      throw error;
    }
  }

  readonly #settle = (): void => {
    // A storage that cannot be read now is read at the next start.
    this.settleRevocations().catch(() => undefined);
  };

  /** The browser says "online" only when the network changed, not when the server came back; so it is also tried a few times by the clock. */
  #settleAgain(round: number): void {
    const pauseMs = settleAgainAfterMs[round];
    if (pauseMs === undefined) return;
    this.context.runtime.wait(pauseMs).then(async () => {
      if (this.#isClosed || (await this.settleRevocations().catch(() => false))) return;
      this.#settleAgain(round + 1);
    });
  }

  #currentPlace(): string {
    const address = new URL(this.#page.href());
    if (!isSamePlace(address, this.#redirectUri)) return address.href;
    if (this.#placeBeforeFailure !== undefined) return this.#placeBeforeFailure;
    // Coming back to the callback's address would show an empty page, unless it says more, as that of an app whose router uses the hash.
    const here = withoutResponse(address);
    return here.search === withoutResponse(this.#redirectUri).search && here.hash === '' ? '/' : here.href;
  }

  /** The page was left, kept as it was, and is shown again: a sign-in it was left for was given up, and what other tabs said meanwhile was not heard. */
  #catchUp(): void {
    this.announceSignInAgain();
    if (this.#channel !== undefined) this.announceElsewhere();
  }

  /** The place as a path on this origin. Anything else would let a crafted link send people elsewhere after they signed in. */
  #placeHere(place: string): string {
    const here = new URL(this.#page.href());
    const url = URL.canParse(place, here.href) ? new URL(place, here) : undefined;
    if (url?.origin !== here.origin) throw new TypeError('returnTo must be an address on the same origin as the page');
    // A path that begins with two slashes would be read as another host by whoever resolves it.
    return url.pathname.replace(/^\/{2,}/, '/') + url.search + url.hash;
  }
}

function withBrowserDefaults(options: TesseraClientOptions, page: Page): TokenClientOptions {
  const storage = options.storage ?? memoryStorage();
  const runtime = systemRuntime(options.runtime);
  const isShared = storage.reach === 'browser';
  return {
    ...options,
    storage,
    runtime,
    apiOrigins: [...originOf(page), ...(options.apiOrigins ?? [])],
    dpopKeys: options.dpopKeys ?? (storage.reach === 'page' ? undefined : indexedDbDpopKeys(() => runtime.now())),
    exclusively:
      options.exclusively ?? (isShared ? webLock(`tessera:${options.issuer}:${options.client_id}:refresh`) : undefined),
  };
}

/** The page's origin, if it has one: a sandboxed frame, or a file, does not. */
function originOf(page: Page): string[] {
  const { origin } = new URL(page.href());
  return origin === 'null' ? [] : [origin];
}

function redirectTo(address: string, what: string, page: Page): URL {
  if (!URL.canParse(address, page.href()))
    throw new TypeError(`${what} must be a whole URL here, since the page has no address it could be relative to`);
  return parseRedirectUri(new URL(address, page.href()).href, what);
}

/** Web servers that serve folders add a slash to the path of the callback, or take it away. */
function isSamePlace(address: URL, expected: URL | undefined): boolean {
  const pathOf = ({ pathname }: URL) => pathname.replace(/\/$/, '');
  return expected !== undefined && address.origin === expected.origin && pathOf(address) === pathOf(expected);
}

function withoutResponse(address: URL): URL {
  const cleaned = new URL(address);
  for (const name of responseParameters) cleaned.searchParams.delete(name);
  return cleaned;
}

function withReturnTo(error: TesseraClientError, returnTo: string | undefined): TesseraClientError {
  const { code, message, error: refusal, error_description, retryAfter, cause } = error;
  return new TesseraClientError(code, message, { error: refusal, error_description, retryAfter, returnTo, cause });
}
