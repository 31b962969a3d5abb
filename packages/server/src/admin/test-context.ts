import assert from 'node:assert/strict';
import type { Seconds } from '@tessera/protocol';
import { pino } from 'pino';
import { adminResourceServer } from '../admin-resource-server.ts';
import type { Config } from '../config/config.ts';
import { checkConfig } from '../config/schema.ts';
import { RefusalJournal } from '../events/refusal-journal.ts';
import { createMetrics } from '../metrics.ts';
import { Registry } from '../registry.ts';
import { Passwords } from '../secrets/password.ts';
import { systemRandom } from '../secrets/random.ts';
import { RootKeys } from '../secrets/root-keys.ts';
import type { GrantRecord, SessionRecord } from '../store/records.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import { SigningKeys } from '../tokens/signing-keys.ts';
import type { Outcome } from './operation.ts';
import type { AdminApiContext } from './rest/operation-route.ts';

/** What the tests of the admin API work with: a store of its own, and the clock in the test's hand. */
export type TestContext = AdminApiContext & { clock: { now: Seconds }; close(): Promise<void> };

const start: Seconds = 1_800_000_000;

/** Makes one. Close it at the end. */
export async function createTestContext(): Promise<TestContext> {
  const checked = checkConfig({ issuer: 'http://localhost:8080' });
  const config = checked.config as Config;
  const store = await openSqliteStore({ file: ':memory:' });
  const rootKeys = new RootKeys([
    { id: 'AAAAAA', secret: new Uint8Array(32).fill(7), state: 'current' },
    { id: 'BBBBBB', secret: new Uint8Array(32).fill(8), state: 'accepted' },
  ]);
  const clock = { now: start };
  const now = () => clock.now;
  const refusals = new RefusalJournal(store, now, (error) => {
    throw error;
  });
  return {
    config,
    store,
    rootKeys,
    signingKeys: new SigningKeys(rootKeys),
    registry: new Registry(store, [adminResourceServer(config.issuer)]),
    passwords: new Passwords(),
    random: systemRandom,
    now,
    nowMs: () => clock.now * 1000,
    log: pino({ level: 'silent' }),
    metrics: createMetrics(),
    refusals,
    clock,
    close: async () => {
      await refusals.flush();
      await store.close();
    },
  };
}

/** What an operation returned; fails the test if it refused. */
export function doneValue<T>(outcome: Outcome<T>): T {
  if (outcome.kind === 'refuse') assert.fail(`refused: ${outcome.reason}: ${outcome.detail}`);
  return outcome.value;
}

/** A live session of a user, as a sign-in would make it. */
export function sessionOf(userId: string, sid: string, now: Seconds): SessionRecord {
  return {
    sid,
    version: 0,
    userId,
    cookieDigest: `cookie-digest-of-${sid}`,
    authTime: now,
    amr: ['pwd'],
    acr: '1',
    createdAt: now,
    origin: { ip: '192.0.2.1', userAgent: 'Firefox' },
    lastSeenAt: now,
    ssoIdle: 43_200,
    ssoUntil: now + 43_200,
    endsAt: now + 7_776_000,
    endedAt: null,
    endReason: null,
  };
}

/** A live grant with a refresh token under a session. */
export function grantOf(
  { sid, userId }: Pick<SessionRecord, 'sid' | 'userId'>,
  clientId: string,
  grantId: string,
  now: Seconds,
  kind: GrantRecord['kind'] = 'session',
): GrantRecord {
  return {
    grantId,
    sid,
    userId,
    clientId,
    kind,
    scopes: ['openid', 'orders:read'],
    resources: [],
    claims: null,
    authTime: now,
    amr: ['pwd'],
    acr: '1',
    jkt: null,
    clientEpoch: 0,
    issuerEpoch: 0,
    secretDigest: `secret-digest-of-${grantId}`,
    idleLimit: 604_800,
    endsAt: now + 7_776_000,
    createdAt: now,
    generation: 1,
    sealKeyId: 'AAAAAA',
    rotatedAt: now,
    idleAt: now + 604_800,
    lastUsedAt: now,
    lastOrigin: { ip: '192.0.2.1', userAgent: 'Firefox' },
    uses: 0,
    replays: 0,
    endedAt: null,
    endReason: null,
  };
}
