/** What to do about an API's answer: prove again with its nonce, see whether this device's clock is wrong, get a new token, or take the answer as it is. */
export type Resend = 'nonce' | 'clock' | 'refresh' | 'nothing';

/** How often each remedy was tried for one request. */
export type Remedies = { nonce: number; clock: number; refresh: number };

/** The answer, and the nonce in the proof that was sent. Headers are looked up by lower-case name. */
export type ApiAnswer = {
  status: number;
  header(name: string): string | null | undefined;
  sentNonce: string | undefined;
  /** Whether a DPoP proof was sent at all. */
  isBound: boolean;
};

/**
 * Decides whether sending a refused request again can help. `nonce` if the API says `use_dpop_nonce` and sends a new one, or sends a new one without giving a
 * reason (a browser hides `WWW-Authenticate` across origins unless exposed); once per token. `refresh` for `invalid_token` or no reason; once. `clock` for `invalid_dpop_proof`; once.
 * Everything else, such as `insufficient_scope` or `insufficient_user_authentication`, a new token cannot mend. So a request is sent at most five times.
 * Source: RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9, RFC 9470 section 3.
 */
export function decideResend(answer: ApiAnswer, tried: Remedies): Resend {
  if (answer.status !== 401) return 'nothing';
  const challenges = answer.header('www-authenticate') ?? '';
  const errors = [...challenges.matchAll(/\berror\s*=\s*"?([a-z_]+)"?/gi)].map((match) => match[1]?.toLowerCase());
  const nonce = answer.header('dpop-nonce') ?? undefined;
  const hasNewNonce = answer.isBound && nonce !== undefined && nonce !== answer.sentNonce;
  const mayWantNonce = errors.length === 0 || errors.includes('use_dpop_nonce');
  if (hasNewNonce && mayWantNonce && tried.nonce <= tried.refresh) return 'nonce';
  if (answer.isBound && errors.includes('invalid_dpop_proof') && tried.clock === 0) return 'clock';
  const mayWantToken = errors.length === 0 || errors.includes('invalid_token');
  return mayWantToken && tried.refresh === 0 ? 'refresh' : 'nothing';
}
