import type { DpopKeys } from './dpop-keys.ts';
import type { RetryPolicy } from './patient-request.ts';
import type { ClientRuntime } from './runtime.ts';
import type { Seconds } from './seconds.ts';
import type { TokenStorage } from './token-storage.ts';

/** What a token client is made from. Only `issuer` and `client_id` are required. */
export type TokenClientOptions = {
  /** The server's issuer identifier, for example `https://auth.example.com`. https, or http on the loopback interface. */
  issuer: string;
  /** This app's client identifier. The app is a public client: it has no secret. */
  client_id: string;
  /** Space separated. Default `openid`. */
  scope?: string | undefined;
  /** The APIs the access token is for (RFC 8707), as the server knows them. */
  resource?: string | readonly string[] | undefined;
  /** Origins that may receive the access token beside the issuer's and those of `resource`. Everything else is refused, unsent. */
  apiOrigins?: readonly string[] | undefined;
  /** Where tokens are kept. Default `memoryStorage()`: nowhere but in memory. */
  storage?: TokenStorage | undefined;
  /** Where DPoP keys are kept. Default: memory. The browser client uses IndexedDB when `storage` survives a reload. */
  dpopKeys?: DpopKeys | undefined;
  /**
   * Turns DPoP off: tokens are then usable by whoever gets hold of them, refresh token included. Only for servers or APIs that cannot do DPoP. Default false.
   */
  useBearerTokens?: boolean | undefined;
  /** Refresh this many seconds before the access token ends, though never in the first three quarters of its life. Default 60. */
  refreshAhead?: Seconds | undefined;
  /** How far this device's clock may be off when an ID token's times are checked. Default 60. */
  clockTolerance?: Seconds | undefined;
  /** How long to insist when no answer comes. Default `defaultRetryPolicy`. */
  retry?: Partial<RetryPolicy> | undefined;
  /** Runs work while nobody else who shares the storage runs theirs. Default: no others exist. The browser client uses Web Locks. */
  exclusively?: Exclusively | undefined;
  /** Clock, network and random source. Default: the system's. */
  runtime?: Partial<ClientRuntime> | undefined;
};

/** Runs work alone among all who share the storage. Work must run even if the lock cannot be had. */
export type Exclusively = <T>(work: () => Promise<T>) => Promise<T>;
