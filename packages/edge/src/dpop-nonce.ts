import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Seconds } from '@tessera/protocol';

/** How long one nonce is handed out; it is accepted for one such time more. */
export const nonceSliceSeconds: Seconds = 60;

/**
 * Server nonces without a memory: each is the number of a minute with an HMAC over it. The current one and the one before are good. Processes that share `secret` accept
 * each other's. Source: RFC 9449 sections 8 and 9.
 */
export class DpopNonces {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    if (secret.length < 32) throw new TypeError(`the nonce secret must have at least 32 bytes, got ${secret.length}`);
    this.#secret = secret;
  }

  /** The nonce to hand out now. */
  current(now: Seconds): string {
    return this.#of(Math.floor(now / nonceSliceSeconds));
  }

  /** `current`, `previous` (accepted, but a new one should be handed out), or `foreign`. */
  judge(nonce: string, now: Seconds): 'current' | 'previous' | 'foreign' {
    const slice = Math.floor(now / nonceSliceSeconds);
    if (isSame(nonce, this.#of(slice))) return 'current';
    return isSame(nonce, this.#of(slice - 1)) ? 'previous' : 'foreign';
  }

  #of(slice: number): string {
    return createHmac('sha256', this.#secret)
      .update(`tessera-edge dpop nonce ${slice}`)
      .digest('base64url')
      .slice(0, 22);
  }
}

function isSame(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
