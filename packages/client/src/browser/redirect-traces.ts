import { type PendingAuthorization, type Seconds, TesseraClientError } from '../core/index.ts';
import type { Page } from './page.ts';

/** A sign-in under way, and where the user was when it began. */
export type SignInTrace = { kind: 'sign_in'; pending: PendingAuthorization; returnTo: string; createdAt: Seconds };
/** A logout at the server under way, and where to go after it. */
export type SignOutTrace = { kind: 'sign_out'; returnTo: string; createdAt: Seconds };
type Trace = SignInTrace | SignOutTrace;

/** Nobody comes back after a day; what is left of it is swept when the next one begins. */
const traceLifetime: Seconds = 86_400;

/**
 * What must survive a redirect, kept in the tab's sessionStorage under its `state`. The one thing stored without being asked: it holds PKCE verifier, nonce and
 * address, never a token, and is removed when the answer arrives. Kept by `state`, so that going back and beginning anew leaves the first one usable.
 */
export class RedirectTraces {
  readonly #page: Page;
  readonly #prefix: string;
  readonly #now: () => Seconds;

  constructor(page: Page, name: string, now: () => Seconds) {
    this.#page = page;
    this.#prefix = `${name}:redirect:`;
    this.#now = now;
  }

  /** Keeps a trace. Throws `storage_unavailable` where sessionStorage is blocked: the answer could not be checked. */
  keep(state: string, trace: Omit<SignInTrace, 'createdAt'> | Omit<SignOutTrace, 'createdAt'>): void {
    this.#inStorage((storage) => {
      this.#sweep(storage);
      storage.setItem(this.#prefix + state, JSON.stringify({ ...trace, createdAt: this.#now() }));
    });
  }

  /** Takes a trace out: it answers once. `undefined` if there is none of that kind under this `state`. */
  take<Kind extends Trace['kind']>(kind: Kind, state: string): Extract<Trace, { kind: Kind }> | undefined {
    return this.#inStorage((storage) => {
      const trace = parseTrace(storage.getItem(this.#prefix + state));
      if (trace?.kind !== kind) return undefined;
      storage.removeItem(this.#prefix + state);
      return this.#now() - trace.createdAt > traceLifetime ? undefined : (trace as Extract<Trace, { kind: Kind }>);
    });
  }

  #sweep(storage: ReturnType<Page['tabStorage']>): void {
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
    for (const key of keys) {
      if (!key?.startsWith(this.#prefix)) continue;
      const createdAt = parseTrace(storage.getItem(key))?.createdAt ?? 0;
      if (this.#now() - createdAt > traceLifetime) storage.removeItem(key);
    }
  }

  #inStorage<T>(work: (storage: ReturnType<Page['tabStorage']>) => T): T {
    try {
      return work(this.#page.tabStorage());
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : typeof cause;
      throw new TesseraClientError(
        'storage_unavailable',
        `sessionStorage threw ${name}; a redirect cannot be followed without it`,
      );
    }
  }
}

function parseTrace(text: string | null): Trace | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    if (typeof value !== 'object' || value === null) return undefined;
    const { kind, pending, returnTo, createdAt } = value as Record<string, unknown>;
    if (typeof returnTo !== 'string' || typeof createdAt !== 'number') return undefined;
    if (kind === 'sign_out') return { kind, returnTo, createdAt };
    return kind === 'sign_in' && isPending(pending) ? { kind, pending, returnTo, createdAt } : undefined;
  } catch {
    return undefined;
  }
}

function isPending(value: unknown): value is PendingAuthorization {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  const required = ['issuer', 'client_id', 'redirect_uri', 'state', 'code_verifier'];
  return required.every((name) => typeof record[name] === 'string' && record[name] !== '');
}
