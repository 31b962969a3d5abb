import { ApiOrigins } from './api-origins.ts';
import {
  type AuthorizationParameters,
  type AuthorizationRequest,
  createAuthorizationRequest,
  type PendingAuthorization,
} from './authorization-request.ts';
import { type BindingKey, redeemAuthorizationResponse } from './authorization-response.ts';
import { type AuthorizedFetchInit, authorizedFetch } from './authorized-fetch.ts';
import { encodeBase64url } from './base64url.ts';
import { type DpopKeys, memoryDpopKeys } from './dpop-keys.ts';
import { createDpopKey, createDpopProof } from './dpop-proof.ts';
import { isClientError, TesseraClientError } from './errors.ts';
import { Listeners } from './listeners.ts';
import { defaultRetryPolicy } from './patient-request.ts';
import { PendingRevocations } from './pending-revocations.ts';
import { createProtocolContext, type ProtocolContext } from './protocol-context.ts';
import { redeemRefreshToken } from './refresh-grant.ts';
import { systemRuntime } from './runtime.ts';
import type { Seconds } from './seconds.ts';
import { parseRedirectUri, parseSecureUrl } from './secure-url.ts';
import { guard, StoredTokens } from './stored-tokens.ts';
import type { Exclusively, TokenClientOptions } from './token-client-options.ts';
import { isDueForRefresh, type TokenSet, type UserClaims, userOf } from './token-set.ts';
import { memoryStorage, type TokenStorage } from './token-storage.ts';

/** What happened to the sign-in. `elsewhere`: another tab that shares the storage changed it. Carries no token; ask `getTokens()`. */
export type TokenChange = { reason: 'signed_in' | 'refreshed' | 'signed_out' | 'lost' | 'elsewhere' };

/** How far a sign-out got: gone here in any case; `pending` if the server could not be told yet. */
export type SignOutResult = { revocation: 'done' | 'pending' | 'none' };

/** Headers that carry the access token to one address, and what is needed to make sense of a refusal. */
export type RequestAuthorization = {
  headers: { authorization: string; dpop?: string };
  accessToken: string;
  /** The nonce in the proof, if any. */
  nonce: string | undefined;
};

/**
 * Keeps one sign-in: hands out access tokens, refreshes them with one request however many callers wait, calls APIs, and ends the sign-in. Runs in browsers and on
 * Node 20; it knows no window. `@tessera/client/browser` adds redirects, lasting storage and coordination between tabs.
 *
 * Only the server's `invalid_grant` (or the loss of the DPoP key) ends a sign-in here: network failures, time limits and 5xx never do.
 */
export class TokenClient {
  protected readonly context: ProtocolContext;
  protected readonly storage: TokenStorage;
  protected readonly options: TokenClientOptions;
  /** Begins every key this client writes; names its lock and channel too. */
  protected readonly name: string;
  readonly #tokens: StoredTokens;
  readonly #keys: DpopKeys;
  readonly #revocations: PendingRevocations;
  readonly #exclusively: Exclusively;
  readonly #changes = new Listeners<TokenChange>();
  readonly #signInRequired = new Listeners<TesseraClientError>();
  readonly #apiOrigins: ApiOrigins;
  #renewal: Promise<TokenSet> | undefined;
  #isSignInAnnounced = false;
  #isSignedOutHere = false;
  #endedAccessToken: string | undefined;
  #noEarlyRefreshBefore: Seconds = 0;
  #clockIsRightUntil: Seconds = 0;
  #clockCorrection: Promise<boolean> | undefined;
  #leaveServerAlone: { until: Seconds; error: TesseraClientError } | undefined;

  constructor(options: TokenClientOptions) {
    const issuer = parseSecureUrl(options.issuer, 'issuer');
    if (!options.client_id) throw new TypeError('client_id must be a non-empty string');
    this.options = options;
    this.context = createProtocolContext({
      issuer,
      client_id: options.client_id,
      runtime: systemRuntime(options.runtime),
      clockTolerance: options.clockTolerance ?? 60,
      retry: { ...defaultRetryPolicy, ...options.retry },
    });
    this.name = `tessera:${issuer.href}:${options.client_id}`;
    this.storage = options.storage ?? memoryStorage();
    this.#tokens = new StoredTokens(this.storage, `${this.name}:tokens`);
    this.#keys = options.dpopKeys ?? memoryDpopKeys();
    this.#revocations = new PendingRevocations(this.context, this.storage, `${this.name}:pending-revocations`);
    this.#exclusively = options.exclusively ?? ((work) => work());
    this.#apiOrigins = new ApiOrigins(issuer, [options.resource ?? []].flat(), options.apiOrigins ?? []);
  }

  /** The tokens as they are now, refreshed or not; `undefined` when nobody is signed in. For display and debugging; APIs are called with `fetch`. */
  async getTokens(): Promise<TokenSet | undefined> {
    return this.#read().catch((error: unknown) => {
      if (isClientError(error, 'storage_corrupt')) return undefined;
      throw error;
    });
  }

  /** Who is signed in: the claims of the validated ID token; `undefined` when nobody is, or without the `openid` scope. */
  async getUser(): Promise<UserClaims | undefined> {
    return userOf(await this.getTokens());
  }

  /**
   * An access token that is good for now, refreshed first if it is about to end. Throws `sign_in_required`; `network` or `server_unavailable` if it had
   * to be refreshed and could not be. The token is bound to the DPoP key: without a proof APIs refuse it, so prefer `fetch` or `authorize`.
   */
  async getAccessToken(): Promise<string> {
    return (await this.#usableTokens()).access_token;
  }

  /**
   * Gets a new pair of tokens now. Calls while one is under way, here or in another tab that shares the storage, share its result. Throws
   * `refresh_refused` when the server refuses (the sign-in is then over), `sign_in_required` without a refresh token, `network` and
   * `server_unavailable` when no answer came (the sign-in lives), `storage_unavailable` when the new tokens could not be stored (they are used from memory, and
   * stored once that is possible).
   */
  async refresh(): Promise<TokenSet> {
    const tokens = await this.#current();
    return this.#renew(tokens);
  }

  /** Like `refresh`, but only if the token is still the one that was found wanting: it may have been replaced meanwhile. */
  async replaceAccessToken(wanting: string): Promise<void> {
    await this.#asSignInRequired(async () => {
      const tokens = await this.#current();
      if (tokens.access_token === wanting) await this.#renew(tokens);
    });
  }

  /**
   * `fetch` with the access token: refreshes ahead of its end, answers the API's nonce, and on a 401 refreshes and sends once more. The last
   * answer is returned, a second 401 included. Bound to the client, so it can be handed to libraries that take a `fetch`.
   * Throws `sign_in_required`, `origin_not_allowed`, `insecure_url`, `body_not_replayable`, `network` and `server_unavailable` (both about the authorization
   * server; an API that cannot be reached throws what `fetch` throws).
   */
  readonly fetch = async (input: string | URL | Request, init?: AuthorizedFetchInit): Promise<Response> =>
    authorizedFetch(this, this.context.runtime.fetch, input, init);

  /** Headers for one request to an API, for clients other than `fetch`. Each proof is good for one request, this method and this address. */
  async authorize(method: string, url: URL): Promise<RequestAuthorization> {
    this.#apiOrigins.assertMayReceiveToken(url);
    const { tokens, key } = await this.#asSignInRequired(async () => this.#withKey(await this.#usableTokens()));
    const accessToken = tokens.access_token;
    if (key === undefined)
      return { headers: { authorization: `Bearer ${accessToken}` }, accessToken, nonce: undefined };
    const { runtime, nonces, clock } = this.context;
    const nonce = nonces.get(url);
    const dpop = await createDpopProof({
      key,
      method,
      url,
      accessToken,
      nonce,
      now: clock.now(),
      random: runtime.random(16),
    });
    return { headers: { authorization: `DPoP ${accessToken}`, dpop }, accessToken, nonce };
  }

  /**
   * After an API refused a proof: sees whether this device's clock is wrong, by a refresh, whose answer tells the server's time. Resolves to whether it was, so that another proof is worth
   * sending. Once a minute at most: an API that refuses proofs for other reasons must not make every call refresh.
   */
  async correctClock(wanting: string): Promise<boolean> {
    // Another call has refreshed since, and learned what there was to learn.
    if ((await this.getTokens())?.access_token !== wanting) return true;
    this.#clockCorrection ??= this.#correctClockAlone(wanting).finally(() => {
      this.#clockCorrection = undefined;
    });
    return this.#clockCorrection;
  }

  /** Keeps the DPoP nonce an API sent, for the next proof to that origin. */
  rememberNonce(url: URL, nonce: string | null | undefined): void {
    this.context.nonces.remember(url, nonce);
  }

  /**
   * Ends the sign-in: forgets tokens and key here at once, then asks the server to revoke. Never fails for want of a network: what could not be
   * told is kept in the storage adapter and told by `settleRevocations`.
   */
  async signOut(): Promise<SignOutResult> {
    const tokens = await this.getTokens();
    this.#isSignInAnnounced = true;
    this.#isSignedOutHere = true;
    await this.#forget(tokens);
    this.#changes.tell({ reason: 'signed_out' });
    if (tokens === undefined) return { revocation: 'none' };
    await this.#revocations.add(
      tokens.refresh_token === undefined
        ? { token: tokens.access_token, token_type_hint: 'access_token' }
        : { token: tokens.refresh_token, token_type_hint: 'refresh_token' },
    );
    return { revocation: (await this.#revocations.settle()) ? 'done' : 'pending' };
  }

  /** Tells the server about sign-outs it could not be told of. Call it when the network is back; resolves to whether none is left. */
  async settleRevocations(): Promise<boolean> {
    return this.#revocations.settle();
  }

  /** Calls the listener after every change of the sign-in, also those made in other tabs. Returns a function that ends the subscription. */
  onChange(listener: (change: TokenChange) => void): () => void {
    return this.#changes.add(listener);
  }

  /**
   * Calls the listener when a token is needed and only signing in can give one: exactly once per lost sign-in, however many calls fail of it, and not after
   * `signOut()` here; in a browser once more when the sign-in begun for it could not be begun, or was given up by going back. Typical: `client.onSignInRequired(() => client.signIn())`. `error.code` tells why.
   */
  onSignInRequired(listener: (error: TesseraClientError) => void): () => void {
    return this.#signInRequired.add(listener);
  }

  /** Begins a sign-in: the address to send the user to, and what to keep until they return. The browser client's `signIn` does both. */
  async createAuthorizationRequest(
    redirect_uri: string,
    parameters: AuthorizationParameters = {},
  ): Promise<AuthorizationRequest> {
    parseRedirectUri(redirect_uri, 'redirect_uri');
    const scope = parameters.scope ?? this.options.scope;
    const resource = parameters.resource ?? this.options.resource;
    return createAuthorizationRequest(this.context, redirect_uri, { ...parameters, scope, resource });
  }

  /** Completes a sign-in with the answer's parameters. Throws what `redeemAuthorizationResponse` does; earlier tokens then stay as they were. */
  async redeemAuthorizationResponse(pending: PendingAuthorization, response: URLSearchParams): Promise<TokenSet> {
    const before = await this.getTokens();
    const binding = this.options.useBearerTokens === true ? undefined : await this.#createBinding();
    const tokens = await redeemAuthorizationResponse(this.context, pending, response, binding);
    if (binding !== undefined) await guard('written', () => this.#keys.save(binding.keyId, binding.key));
    await this.#tokens.write(tokens);
    if (before?.keyId !== undefined) await this.#forgetKey(before.keyId);
    this.#isSignInAnnounced = false;
    this.#isSignedOutHere = false;
    this.#changes.tell({ reason: 'signed_in' });
    return tokens;
  }

  /** Lets listeners hear once more that a sign-in is missing, when next a token is needed: the one they began came to nothing. Not after `signOut()` here. */
  protected announceSignInAgain(): void {
    if (!this.#isSignedOutHere) this.#isSignInAnnounced = false;
  }

  /** Tells listeners of a change another tab made. */
  protected announceElsewhere(): void {
    this.#changes.tell({ reason: 'elsewhere' });
  }

  async #usableTokens(): Promise<TokenSet> {
    return this.#asSignInRequired(async () => {
      const tokens = await this.#current();
      const now = this.context.runtime.now();
      if (!isDueForRefresh(tokens, now, this.options.refreshAhead ?? 60)) return tokens;
      const isStillGood = tokens.expiresAt !== undefined && tokens.expiresAt > now;
      if (isStillGood && (tokens.refresh_token === undefined || now < this.#noEarlyRefreshBefore)) return tokens;
      return this.#renew(tokens).catch((error: unknown) => {
        if (!isStillGood || !isClientError(error) || isEndOfSignIn(error)) throw error;
        // Early on there is time. The next calls use what they have instead of all waiting for a server that is away.
        this.#noEarlyRefreshBefore = now + 10;
        return tokens;
      });
    });
  }

  /** The tokens of the sign-in there must be. */
  async #current(view: 'own' | 'latest' = 'own'): Promise<TokenSet> {
    const tokens = await this.#read(view);
    if (tokens !== undefined) return tokens;
    throw this.#announceSignIn(new TesseraClientError('sign_in_required', 'nobody is signed in'));
  }

  /** The tokens there are: as this tab sees them, or, at more cost, certainly as the last tab left them. */
  async #read(view: 'own' | 'latest' = 'own'): Promise<TokenSet | undefined> {
    const reading = view === 'own' ? this.#tokens.read() : this.#tokens.readLatest();
    const tokens = await reading.catch((error: unknown) => {
      throw isClientError(error, 'storage_corrupt') ? this.#announceSignIn(error) : error;
    });
    // A slow adapter may still return what was removed while it read; that is no new sign-in.
    if (tokens === undefined || tokens.access_token === this.#endedAccessToken) return undefined;
    this.#isSignInAnnounced = false;
    this.#isSignedOutHere = false;
    return tokens;
  }

  async #renew(seen: TokenSet): Promise<TokenSet> {
    this.#renewal ??= this.#exclusively(() => this.#renewAlone(seen)).finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renewAlone(seen: TokenSet): Promise<TokenSet> {
    const before = await this.#current('latest');
    // While this tab waited for the lock another one may have done the work.
    if (before.access_token !== seen.access_token && !this.#hasExpired(before)) return before;
    this.#assertServerMayBeAsked();
    const after = await this.#redeem(before);
    const latest = await this.#read('latest');
    // The user signed out, or in again, while the answer was under way: it must not undo that.
    if (latest === undefined) throw this.#announceSignIn(signedOutMeanwhile());
    if (latest.access_token !== before.access_token) return latest;
    await this.#tokens.replace(after);
    this.#changes.tell({ reason: 'refreshed' });
    return after;
  }

  async #correctClockAlone(wanting: string): Promise<boolean> {
    const { runtime, clock } = this.context;
    if (runtime.now() < this.#clockIsRightUntil) return false;
    const before = clock.ahead;
    await this.replaceAccessToken(wanting).catch((error: unknown) => {
      if (isClientError(error, 'sign_in_required')) throw error;
    });
    const hasMoved = clock.ahead !== before;
    if (!hasMoved) this.#clockIsRightUntil = runtime.now() + 60;
    return hasMoved;
  }

  async #redeem(tokens: TokenSet): Promise<TokenSet> {
    const { refresh_token } = tokens;
    if (refresh_token === undefined) {
      return this.#lose(
        tokens,
        new TesseraClientError('sign_in_required', 'the access token has ended and there is no refresh token'),
      );
    }
    const { tokens: latest, key } = await this.#withKey(tokens);
    if (latest !== tokens) return latest;
    try {
      return await redeemRefreshToken(this.context, { ...tokens, refresh_token }, key);
    } catch (error) {
      this.#noteRetryAfter(error);
      if (!isClientError(error, 'refresh_refused')) throw error;
      // A tab without the lock may have been quicker; then the refused token was merely old.
      const quicker = await this.#read('latest');
      // The user signed out meanwhile; the refusal is the consequence, not a loss.
      if (quicker === undefined) throw this.#announceSignIn(signedOutMeanwhile());
      if (quicker.access_token !== tokens.access_token && !this.#hasExpired(quicker)) return quicker;
      return this.#lose(tokens, error);
    }
  }

  /** The tokens with the key they are bound to; without one for bearer tokens. */
  async #withKey(tokens: TokenSet): Promise<{ tokens: TokenSet; key: CryptoKeyPair | undefined }> {
    const { keyId } = tokens;
    if (tokens.token_type === 'Bearer' || keyId === undefined) return { tokens, key: undefined };
    const key = await guard('read', () => this.#keys.load(keyId));
    if (key !== undefined) return { tokens, key };
    // Another tab may have signed out, or in again with a new key, since the tokens were read.
    const latest = await this.#current('latest');
    if (latest.keyId !== keyId) return this.#withKey(latest);
    return this.#lose(tokens, new TesseraClientError('dpop_key_lost', 'the DPoP key the tokens are bound to is gone'));
  }

  async #createBinding(): Promise<BindingKey> {
    return { keyId: encodeBase64url(this.context.runtime.random(16)), key: await createDpopKey() };
  }

  /** Ends the sign-in without the user's wish, and tells so once. */
  async #lose(tokens: TokenSet, error: TesseraClientError): Promise<never> {
    await this.#forget(tokens);
    this.#changes.tell({ reason: 'lost' });
    throw this.#announceSignIn(error);
  }

  #announceSignIn(error: TesseraClientError): TesseraClientError {
    if (!this.#isSignInAnnounced) {
      this.#isSignInAnnounced = true;
      this.#signInRequired.tell(error);
    }
    return error;
  }

  async #forget(tokens: TokenSet | undefined): Promise<void> {
    this.#endedAccessToken = tokens?.access_token;
    await this.#tokens.remove();
    if (tokens?.keyId !== undefined) await this.#forgetKey(tokens.keyId);
  }

  async #forgetKey(keyId: string): Promise<void> {
    // A key that stays behind without its tokens opens nothing; failing to remove it must not stop a sign-out.
    await this.#keys.remove(keyId).catch(() => undefined);
  }

  /** For callers that want a token, every end of the sign-in is the same: `sign_in_required`, with the reason as its cause. */
  async #asSignInRequired<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isClientError(error, 'refresh_refused', 'dpop_key_lost', 'storage_corrupt')) throw error;
      throw new TesseraClientError('sign_in_required', `the sign-in was lost: ${error.message}`, { cause: error });
    }
  }

  #hasExpired(tokens: TokenSet): boolean {
    return tokens.expiresAt !== undefined && tokens.expiresAt <= this.context.runtime.now();
  }

  #assertServerMayBeAsked(): void {
    const pause = this.#leaveServerAlone;
    if (pause === undefined) return;
    const retryAfter = pause.until - this.context.runtime.now();
    if (retryAfter > 0)
      throw new TesseraClientError('server_unavailable', pause.error.message, { retryAfter, cause: pause.error });
    this.#leaveServerAlone = undefined;
  }

  /** A server that asked for a pause gets it, however often the app calls. */
  #noteRetryAfter(error: unknown): void {
    if (!isClientError(error, 'server_unavailable') || error.retryAfter === undefined) return;
    // An hour at most: nobody stays locked out because of one odd header.
    const pause = Math.min(error.retryAfter, 3600);
    this.#leaveServerAlone = { until: this.context.runtime.now() + pause, error };
  }
}

function signedOutMeanwhile(): TesseraClientError {
  return new TesseraClientError('sign_in_required', 'signed out while a refresh was under way');
}

function isEndOfSignIn(error: TesseraClientError): boolean {
  return isClientError(error, 'sign_in_required', 'refresh_refused', 'dpop_key_lost', 'storage_corrupt');
}
