/**
 * The latest DPoP nonce of each origin. Authorization server and APIs hand out nonces independently, so they are kept by origin, in memory; a lost one costs
 * a round trip. Source: RFC 9449 sections 8 and 9.
 */
export class DpopNonces {
  readonly #nonces = new Map<string, string>();

  /** The nonce to put into the next proof for this address, if its origin has given one. */
  get(url: URL): string | undefined {
    return this.#nonces.get(url.origin);
  }

  /** Keeps the nonce of a response, if it brings one. Returns it. */
  remember(url: URL, nonce: string | null | undefined): string | undefined {
    if (!nonce) return undefined;
    this.#nonces.set(url.origin, nonce);
    return nonce;
  }
}
