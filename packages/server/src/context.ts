import type { Seconds } from '@tessera/protocol';
import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import type { Config } from './config/config.ts';
import type { EventFollower } from './events/event-follower.ts';
import type { RefusalJournal } from './events/refusal-journal.ts';
import type { CookieJar } from './http/cookies.ts';
import type { Metrics } from './metrics.ts';
import type { Registry } from './registry.ts';
import type { Passwords } from './secrets/password.ts';
import type { Random } from './secrets/random.ts';
import type { RootKeys } from './secrets/root-keys.ts';
import type { Store } from './store/store.ts';
import type { Throttle } from './throttle.ts';
import type { SigningKeys } from './tokens/signing-keys.ts';

/** What endpoints, admin resources and commands work with. Made in one place: `server.ts`. */
export type Context = {
  config: Config;
  store: Store;
  rootKeys: RootKeys;
  signingKeys: SigningKeys;
  registry: Registry;
  passwords: Passwords;
  follower: EventFollower;
  refusals: RefusalJournal;
  throttle: Throttle;
  cookies: CookieJar;
  /** How often everything of the issuer was cut off. */
  issuerEpoch: () => number;
  /** When an older state of the store was last put back, under a policy that lets clients go on; undefined if it never was. */
  resumedAt: Seconds | undefined;
  random: Random;
  /** The time in seconds. */
  now: () => Seconds;
  /** The time in milliseconds, for ids and measuring. */
  nowMs: () => number;
  /** Milliseconds that only run on, whatever happens to the time: for how long something took. */
  monotonicMs: () => number;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
};
