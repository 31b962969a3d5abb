import crypto from 'node:crypto';
import type { Seconds } from '@tessera/protocol';
import { type ClaimsExpectation, judgeIntrospectedClaims } from './access-token-claims.ts';
import { EdgeRequestError, type Fetch, fetchJson } from './fetch-json.ts';
import { type Refused, refused, type VerifiedAccessToken } from './verification.ts';

/**
 * `authorization` makes the header the edge authenticates with: client_secret_basic or a bearer token. `cacheSeconds`: for how long an answer may be used again
 * (default 0: every request asks; a revoked token lives on for as long). `mostInFlight` bounds the questions under way.
 */
export type IntrospectionOptions = {
  locate: () => Promise<string | undefined>;
  authorization: () => string | Promise<string>;
  fetch: Fetch;
  monotonicMs: () => number;
  cacheSeconds: Seconds;
  timeoutMs: number;
  mostInFlight: number;
};

const largestAnswerBytes = 262_144;
const mostCached = 10_000;

/**
 * Asks the issuer about tokens, also about opaque ones. The same token asked about at the same time is one request. Never open: when the endpoint fails, is slow, or
 * too many questions are under way, the token is refused with `introspection_failed`. Source: RFC 7662 section 2.
 */
export class Introspection {
  readonly #options: IntrospectionOptions;
  readonly #inFlight = new Map<string, Promise<Record<string, unknown>>>();
  readonly #cache = new Map<string, { answer: Record<string, unknown>; untilMs: number }>();
  #asked = 0;
  #failed = 0;

  constructor(options: IntrospectionOptions) {
    this.#options = options;
  }

  /**
   * Judges a token by the issuer's answer. Reasons: `token_inactive`, `introspection_failed`, and those of `judgeIntrospectedClaims`, since an issuer
   * may answer for tokens of other APIs.
   */
  async judge(token: string, expected: ClaimsExpectation): Promise<VerifiedAccessToken | Refused> {
    let answer: Record<string, unknown>;
    try {
      answer = await this.#answerFor(token);
    } catch (error) {
      this.#failed++;
      return refused('introspection_failed', error instanceof Error ? error.message : String(error));
    }
    if (answer.active !== true) return refused('token_inactive');
    return judgeIntrospectedClaims(answer, expected);
  }

  /** How often was asked, and how often in vain. */
  status(): { asked: number; failed: number; inFlight: number } {
    return { asked: this.#asked, failed: this.#failed, inFlight: this.#inFlight.size };
  }

  async #answerFor(token: string): Promise<Record<string, unknown>> {
    const digest = crypto.createHash('sha256').update(token).digest('base64url');
    const cached = this.#cache.get(digest);
    if (cached && cached.untilMs > this.#options.monotonicMs()) return cached.answer;
    let asking = this.#inFlight.get(digest);
    if (!asking) {
      if (this.#inFlight.size >= this.#options.mostInFlight)
        throw new EdgeRequestError(
          'unreachable',
          `${this.#inFlight.size} introspection requests are under way, no more are started`,
        );
      asking = this.#ask(token, digest).finally(() => this.#inFlight.delete(digest));
      this.#inFlight.set(digest, asking);
    }
    return asking;
  }

  async #ask(token: string, digest: string): Promise<Record<string, unknown>> {
    const { locate, authorization, fetch, timeoutMs } = this.#options;
    const url = await locate();
    if (url === undefined) throw new EdgeRequestError('unreachable', 'the issuer names no introspection_endpoint');
    this.#asked++;
    const { body } = await fetchJson({
      fetch,
      url,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: await authorization() },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
      timeoutMs,
      largestAnswerBytes,
    });
    if (typeof body !== 'object' || body === null || typeof (body as { active?: unknown }).active !== 'boolean')
      throw new EdgeRequestError('not_json', `${url} did not answer with "active" (RFC 7662 section 2.2)`);
    this.#remember(digest, body as Record<string, unknown>);
    return body as Record<string, unknown>;
  }

  #remember(digest: string, answer: Record<string, unknown>): void {
    if (this.#options.cacheSeconds <= 0) return;
    this.#cache.delete(digest);
    if (this.#cache.size >= mostCached) {
      const [oldest] = this.#cache.keys();
      if (oldest !== undefined) this.#cache.delete(oldest);
    }
    this.#cache.set(digest, { answer, untilMs: this.#options.monotonicMs() + this.#options.cacheSeconds * 1000 });
  }
}

/** The Authorization header of client_secret_basic. Source: RFC 6749 section 2.3.1 and appendix B: both parts are form-encoded first. */
export function formatBasicAuthorization(clientId: string, clientSecret: string): string {
  const encode = (text: string) => new URLSearchParams({ v: text }).toString().slice(2);
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')}`;
}
