import type { Seconds } from '@tessera/protocol';
import type { Config } from '../config/config.ts';
import type { ClientRecord, GrantRecord, ResourceServerRecord, Strategy } from '../store/records.ts';

/** What a strategy means: whether there are refresh tokens, whether use extends them, and whether there is a cap of its own. */
export const strategies: Record<Strategy, { refreshes: boolean; slides: boolean; capped: boolean }> = {
  /** No refresh token; an access token is good until it expires. */
  stateless: { refreshes: false, slides: false, capped: false },
  /** A record behind each refresh token, a fixed life that use does not extend. */
  'server-backed': { refreshes: true, slides: false, capped: true },
  /** Each use extends; only the session's end caps it. */
  sliding: { refreshes: true, slides: true, capped: false },
  /** Each use extends, up to an absolute limit of its own. */
  'sliding-revocable': { refreshes: true, slides: true, capped: true },
};

/** A grant's limits at its birth. */
export type GrantLimits = { idleLimit: Seconds | null; idleAt: Seconds | null; endsAt: Seconds };

/**
 * The limits of a grant born now. A `session` grant ends with its session at the latest; an `offline` one has only its own limits.
 * Without sliding, a grant lives for the client's `absolute`, or else for the server's idle limit, counted from its birth.
 */
export function grantLimits(
  config: Pick<Config, 'lifetimes'>,
  client: Pick<ClientRecord, 'strategy' | 'lifetimes'>,
  kind: GrantRecord['kind'],
  sessionEndsAt: Seconds,
  now: Seconds,
): GrantLimits {
  const strategy = strategies[client.strategy];
  const { lifetimes } = client;
  const idleLimit = !strategy.slides ? null : lifetimes.idle === undefined ? config.lifetimes.idle : lifetimes.idle;
  const ownCap = lifetimes.absolute ?? (strategy.slides ? config.lifetimes.absolute : config.lifetimes.idle);
  const cap =
    strategy.capped || lifetimes.absolute !== undefined || kind === 'offline' ? now + ownCap : Number.POSITIVE_INFINITY;
  const endsAt = Math.min(cap, kind === 'session' ? sessionEndsAt : Number.POSITIVE_INFINITY);
  return { idleLimit, idleAt: idleLimit === null ? null : Math.min(now + idleLimit, endsAt), endsAt };
}

/**
 * When a grant that is used now lapses if it is not used again; null when it does not slide. Never earlier than before: access tokens already hang on that moment, and
 * a clock that ran backwards counts as no time elapsed.
 */
export function slide(grant: Pick<GrantRecord, 'idleLimit' | 'idleAt' | 'endsAt'>, now: Seconds): Seconds | null {
  if (grant.idleLimit === null) return null;
  return Math.min(Math.max(now + grant.idleLimit, grant.idleAt ?? 0), grant.endsAt);
}

/** The longest a grant may be used without its `idleAt` being written anew: a twentieth of the idle limit. */
export function touchInterval(idleLimit: Seconds): Seconds {
  return Math.floor(idleLimit / 20);
}

/** True when a use now should be written although nothing else is: the idle limit would move by more than the touch interval. */
export function isTouchDue(grant: Pick<GrantRecord, 'idleLimit' | 'idleAt' | 'endsAt'>, now: Seconds): boolean {
  const next = slide(grant, now);
  return next !== null && grant.idleLimit !== null && next - (grant.idleAt ?? 0) > touchInterval(grant.idleLimit);
}

/**
 * When an access token issued now expires: after its lifetime (the shorter of the resource server's and the client's, else the server's), but never after what it
 * hangs on.
 */
export function accessTokenExpiry(
  config: Pick<Config, 'lifetimes'>,
  client: Pick<ClientRecord, 'lifetimes'>,
  resourceServers: readonly Pick<ResourceServerRecord, 'accessTokenLifetime'>[],
  hangsOn: { idleAt: Seconds | null; endsAt: Seconds } | undefined,
  now: Seconds,
): Seconds {
  const asked = [client.lifetimes.accessToken, ...resourceServers.map((one) => one.accessTokenLifetime)].filter(
    (lifetime) => lifetime !== undefined,
  );
  const lifetime = asked.length > 0 ? Math.min(...asked) : config.lifetimes.accessToken;
  return Math.min(
    now + lifetime,
    hangsOn?.idleAt ?? Number.POSITIVE_INFINITY,
    hangsOn?.endsAt ?? Number.POSITIVE_INFINITY,
  );
}
