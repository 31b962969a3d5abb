import type { Seconds } from './seconds.ts';

/**
 * The closed list of what can go wrong, by code: what each code means, and what an app does about it. Apps compare `error.code`;
 * messages are for developers and may change.
 */
export const errorCodes = {
  sign_in_required: {
    means: 'Nobody is signed in, or the sign-in was lost and cannot be refreshed.',
    remedy: 'Call signIn(). Listeners of onSignInRequired hear of it once per lost sign-in.',
  },
  refresh_refused: {
    means:
      'The server refused the refresh token (invalid_grant, RFC 6749 section 5.2): the grant or its session has ended.',
    remedy: 'Call signIn(). The tokens are already gone from storage.',
  },
  network: {
    means: 'No answer came, after every retry: offline, a lost connection or a time limit. Nobody was signed out.',
    remedy:
      "Try again when online; the same refresh token stays good. If it never works in a browser, its console tells why: the server does not know the page's origin (CORS; no redirect_uri of the client lies there), or a Content-Security-Policy lacks the issuer in connect-src.",
  },
  server_unavailable: {
    means: 'The server answered, but only that it cannot answer now (429 or 5xx). Nobody was signed out.',
    remedy: 'Try again after error.retryAfter seconds, where given.',
  },
  server_refused: {
    means:
      'The server refused the request for a reason other than the grant: error.error names it, for example invalid_client.',
    remedy: "Compare the client's registration with the options given here.",
  },
  authorization_refused: {
    means:
      'The server answered the authorization request with an error, or would not redeem the code; error.error names it, for example access_denied or login_required.',
    remedy: 'Tell the user, or call signIn() again; after prompt=none, call it without prompt.',
  },
  state_mismatch: {
    means: 'The answer belongs to no sign-in that this tab began (RFC 6749 section 10.12), or to one already answered.',
    remedy: 'Drop the answer and offer signIn(). Often a bookmarked or reloaded callback address, at worst a forgery.',
  },
  issuer_mismatch: {
    means:
      'The authorization response names another issuer, or none although the server always names itself (RFC 9207).',
    remedy: 'Drop the answer. It may be a mix-up attack; check that the issuer option is the one the server publishes.',
  },
  invalid_response: {
    means: 'The server answered with something its specification does not allow.',
    remedy: 'Check the issuer option and what stands between app and server; a proxy may have answered instead.',
  },
  invalid_id_token: {
    means: 'The ID token failed a check of OpenID Connect Core section 3.1.3.7 or 12.2. None of the response was kept.',
    remedy: "Check the device's clock and the issuer option; then call signIn() again.",
  },
  storage_corrupt: {
    means: 'What the storage adapter returned is not what was stored. The entry was removed.',
    remedy: 'Call signIn(); look for other code that writes under the same key.',
  },
  storage_unavailable: {
    means: 'The storage adapter, or the place of the DPoP key, threw: blocked, full or private browsing.',
    remedy: 'Free or allow the storage, or use memoryStorage().',
  },
  dpop_key_lost: {
    means: 'Tokens were found, but the DPoP key they are bound to is gone, so nobody can use them any more.',
    remedy: 'Call signIn(). Browsers that clear IndexedDB but not localStorage cause it.',
  },
  dpop_not_bound: {
    means:
      'A proof was sent, but the server answered with a bearer token (RFC 9449 section 5). The tokens were not kept.',
    remedy: 'Turn on DPoP for this client on the server, or set useBearerTokens.',
  },
  body_not_replayable: {
    means: 'The API asked for the request to be sent again, and its body was a stream that is already spent.',
    remedy: 'Send it again with a fresh stream (token and nonce are now fresh), or pass a Blob, string or buffer.',
  },
  origin_not_allowed: {
    means:
      'A request that would carry the access token goes to an origin that is not known as an API. Nothing was sent.',
    remedy: 'Add the origin to apiOrigins, or use plain fetch for requests that need no token.',
  },
  insecure_url: {
    means: 'An address is neither https nor on the loopback interface. Nothing was sent.',
    remedy: 'Use https. Plain http is accepted only for localhost, 127.0.0.1 and [::1].',
  },
  unsupported_environment: {
    means:
      'WebCrypto or the window is missing: the page is not a secure context, the runtime is too old, or the browser client was made on a server.',
    remedy:
      'Serve the page over https or from localhost; on servers use Node 20 or later and TokenClient, not the browser client.',
  },
} as const satisfies Record<string, { means: string; remedy: string }>;

/** One of the codes in `errorCodes`. */
export type ErrorCode = keyof typeof errorCodes;

/** What an error may carry beside its code. None of it is ever a token, a code or a secret. */
export type ErrorDetails = {
  /** The specification's error, as the server sent it: `access_denied`, `invalid_client` … */
  error?: string | undefined;
  /** The server's explanation for developers. Not for display: it is text from elsewhere. */
  error_description?: string | undefined;
  /** How long the server asked to be left alone, in seconds (RFC 9110 section 10.2.3). */
  retryAfter?: Seconds | undefined;
  /** Where the user was before a sign-in that failed. Same origin, checked. */
  returnTo?: string | undefined;
  cause?: unknown;
};

/** The one error class of this package. Compare `code`; see `errorCodes` for what each means and what to do. */
export class TesseraClientError extends Error {
  override readonly name = 'TesseraClientError';
  readonly code: ErrorCode;
  readonly error: string | undefined;
  readonly error_description: string | undefined;
  readonly retryAfter: Seconds | undefined;
  readonly returnTo: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.error = details.error;
    this.error_description = details.error_description;
    this.retryAfter = details.retryAfter;
    this.returnTo = details.returnTo;
  }
}

/** Tells whether a caught value is an error of this package, with one of the given codes if any are given. */
export function isClientError(value: unknown, ...codes: ErrorCode[]): value is TesseraClientError {
  return value instanceof TesseraClientError && (codes.length === 0 || codes.includes(value.code));
}
