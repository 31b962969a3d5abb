import type { Seconds } from './seconds.ts';

/** Everything the client takes from the world around it. Tests and unusual runtimes replace single members. */
export type ClientRuntime = {
  /** The time, in whole seconds since 1970. */
  now(): Seconds;
  /** The `fetch` all requests go through. */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Unpredictable bytes, for `state`, `nonce`, the PKCE verifier and `jti`. */
  random(sizeBytes: number): Uint8Array;
  /** Resolves after so many milliseconds; used between retries. */
  wait(durationMs: number): Promise<void>;
};

/** The runtime's own clock, network and random source, with what is given put in their place. */
export function systemRuntime(replaced: Partial<ClientRuntime> = {}): ClientRuntime {
  return {
    now: systemNow,
    // A detached `fetch` throws "Illegal invocation" in browsers; calling it through globalThis also follows a later replacement.
    fetch: (input, init) => globalThis.fetch(input, init),
    random: (sizeBytes) => globalThis.crypto.getRandomValues(new Uint8Array(sizeBytes)),
    wait: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    ...replaced,
  };
}

/** The system's clock in whole seconds. */
export function systemNow(): Seconds {
  return Math.floor(Date.now() / 1000);
}
