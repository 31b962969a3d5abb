import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { systemRandom } from '../secrets/random.ts';
import { RootKeys } from '../secrets/root-keys.ts';
import type { SigningKeyRecord } from '../store/records.ts';
import { sampleSigningKey } from '../store/sample-records.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { Store } from '../store/store.ts';
import {
  decideKeyRotation,
  type KeyStep,
  readSigningKeys,
  revokeSigningKey,
  rotateByCommand,
  rotateSigningKeys,
} from './key-rotation.ts';
import { SigningKeys } from './signing-keys.ts';

const start = 1_800_000_000;
const policy = { rotateEvery: 1000, announceFor: 100, keepRetiredFor: 50 };

/** Keys of RS256 and EdDSA that need nothing, so that only ES256 is decided. */
const quiet = (['RS256', 'EdDSA'] as const).map((algorithm) =>
  sampleSigningKey({ algorithm, state: 'current', createdAt: start + 1_000_000, activatedAt: start + 1_000_000 }),
);

function key(kid: string, changes: Partial<SigningKeyRecord>): SigningKeyRecord {
  return sampleSigningKey({ kid, algorithm: 'ES256', createdAt: start, ...changes });
}

/** The steps in one line each. */
function shown(steps: readonly KeyStep[]): string[] {
  return steps.map((step) =>
    step.step === 'create'
      ? `create ${step.state}`
      : step.step === 'activate'
        ? `activate ${step.key.kid}${step.retire ? `, retire ${step.retire.kid}` : ''}`
        : `forget ${step.key.kid}`,
  );
}

describe('D10: the schedule of signing keys', () => {
  const current = key('a', { state: 'current', activatedAt: start });
  const next = key('b', { state: 'next', createdAt: start + 900 });
  const cases: { name: string; keys: SigningKeyRecord[]; at: number; expected: string[] }[] = [
    { name: 'no key at all: one that signs at once', keys: [], at: start, expected: ['create current'] },
    { name: 'one that signs, long before its time', keys: [current], at: start + 1, expected: [] },
    { name: 'one second before the announcement', keys: [current], at: start + 899, expected: [] },
    { name: 'at the announcement', keys: [current], at: start + 900, expected: ['create next'] },
    {
      name: 'a server that slept through it announces before it changes',
      keys: [current],
      at: start + 99_999,
      expected: ['create next'],
    },
    { name: 'announced, one second before it signs', keys: [current, next], at: start + 999, expected: [] },
    { name: 'announced long enough', keys: [current, next], at: start + 1000, expected: ['activate b, retire a'] },
    {
      name: 'announced late: it has its time before it signs',
      keys: [current, key('b', { state: 'next', createdAt: start + 5000 })],
      at: start + 5099,
      expected: [],
    },
    {
      name: 'announced early by command: it signs when it was announced long enough',
      keys: [current, key('b', { state: 'next', createdAt: start + 10 })],
      at: start + 110,
      expected: ['activate b, retire a'],
    },
    {
      name: 'counted from when it began to sign, not from when it was made',
      keys: [key('a', { state: 'current', activatedAt: start + 500 })],
      at: start + 1000,
      expected: [],
    },
    {
      name: 'a retired key at the end of its time is still published',
      keys: [current, key('z', { state: 'retired', retiredAt: start })],
      at: start + 50,
      expected: [],
    },
    {
      name: 'one second later it is forgotten',
      keys: [current, key('z', { state: 'retired', retiredAt: start })],
      at: start + 51,
      expected: ['forget z'],
    },
    {
      name: 'the current key was revoked: the announced one signs at once',
      keys: [key('a', { state: 'revoked', retiredAt: start }), key('b', { state: 'next' })],
      at: start,
      expected: ['activate b'],
    },
    {
      name: 'the current key was revoked and none is announced: a new one signs at once',
      keys: [key('a', { state: 'revoked', retiredAt: start })],
      at: start,
      expected: ['create current'],
    },
    {
      name: 'a revoked key is never forgotten: it must stay refused',
      keys: [current, key('z', { state: 'revoked', retiredAt: start - 1_000_000 })],
      at: start,
      expected: [],
    },
    {
      name: 'the announced key was revoked: another is announced in time',
      keys: [current, key('b', { state: 'revoked' })],
      at: start + 900,
      expected: ['create next'],
    },
    {
      name: 'under a clock that ran backwards nothing happens',
      keys: [current, key('b', { state: 'next' })],
      at: start - 2,
      expected: [],
    },
    {
      name: 'several at once',
      keys: [current, next, key('z', { state: 'retired', retiredAt: start })],
      at: start + 1000,
      expected: ['activate b, retire a', 'forget z'],
    },
  ];
  for (const { name, keys, at, expected } of cases)
    it(name, () => assert.deepEqual(shown(decideKeyRotation([...keys, ...quiet], at, policy)), expected));

  it('is kept for each algorithm by itself', () => {
    const steps = decideKeyRotation([current], start, policy);
    assert.deepEqual(
      steps.map((step) => step.step === 'create' && `${step.algorithm} ${step.state}`),
      ['RS256 current', 'EdDSA current'],
    );
  });
});

describe('signing keys in the store', () => {
  const rootKeys = new RootKeys([{ id: 'AAAAAA', secret: new Uint8Array(32).fill(1), state: 'current' }]);

  /** Keys of RS256 and EdDSA that rest all the time: making an RSA key is slow. */
  let others: SigningKeyRecord[] = [];
  before(async () => {
    const store = await openSqliteStore({ file: ':memory:' });
    const made = await rotateSigningKeys({ store, rootKeys, random: systemRandom, now: () => start }, policy);
    others = made.filter((one) => one.algorithm !== 'ES256').map((one) => ({ ...one, activatedAt: start + 1_000_000 }));
    await store.close();
  });

  async function withWorkshop(
    work: (
      workshop: { store: Store; rootKeys: RootKeys; random: typeof systemRandom; now: () => number },
      clock: { now: number },
    ) => Promise<void>,
  ) {
    const store = await openSqliteStore({ file: ':memory:' });
    const clock = { now: start };
    for (const record of others) await store.commit([{ change: 'put', kind: 'signing_key', expect: 'absent', record }]);
    try {
      await work({ store, rootKeys, random: systemRandom, now: () => clock.now }, clock);
    } finally {
      await store.close();
    }
  }

  const states = async (store: Store, algorithm: string) =>
    (await readSigningKeys(store))
      .filter((one) => one.algorithm === algorithm)
      .map((one) => one.state)
      .sort();

  it('of nodes that start at the same time are the same', () =>
    withWorkshop(async (workshop) => {
      const [a, b] = await Promise.all([rotateSigningKeys(workshop, policy), rotateSigningKeys(workshop, policy)]);
      const kids = (keys: SigningKeyRecord[]) => keys.map((one) => one.kid).sort();
      assert.deepEqual(kids(a), kids(b));
      assert.equal(a.length, 3);
    }));

  it('are sealed: the store has no private key', () =>
    withWorkshop(async ({ store, ...rest }) => {
      for (const record of await rotateSigningKeys({ store, ...rest }, policy)) {
        assert.ok(!('d' in record.publicJwk));
        assert.match(record.encryptedPrivateJwk, /^[A-Za-z0-9_-]+$/);
        assert.equal(record.publicJwk.kid, record.kid);
      }
    }));

  it('D10: what a key signed verifies at every moment from its announcement to its end', () =>
    withWorkshop(async (workshop, clock) => {
      const tokens: { text: string; until: number }[] = [];
      const published = new Map<string, number>();
      for (; clock.now < start + 3500; clock.now += 25) {
        const keys = new SigningKeys(rootKeys);
        keys.load(await rotateSigningKeys(workshop, policy));
        for (const { kid } of keys.publicJwks().keys) if (kid && !published.has(kid)) published.set(kid, clock.now);
        const kid = keys.currentKid('ES256') as string;
        const isFirst = published.get(kid) === start;
        assert.ok(
          isFirst || clock.now - (published.get(kid) as number) >= policy.announceFor,
          'a key signed that no verifier could know',
        );
        tokens.push({ text: keys.sign('ES256', 'JWT', {}), until: clock.now + policy.keepRetiredFor });
        for (const { text, until } of tokens) {
          if (until < clock.now) continue;
          assert.ok(holds(keys, text), 'a token outlived its key');
        }
      }
      assert.ok(published.size >= others.length + 4, 'keys did change');
    }));

  it('by command a successor is announced, and a second command announces no other', () =>
    withWorkshop(async (workshop) => {
      await rotateSigningKeys(workshop, policy);
      for (let times = 0; times < 2; times++) await rotateByCommand(workshop, ['ES256'], false, { kind: 'cli' });
      assert.deepEqual(await states(workshop.store, 'ES256'), ['current', 'next']);
      assert.deepEqual(await states(workshop.store, 'RS256'), ['current']);
    }));

  it('by command at once the successor signs and the one before retires', () =>
    withWorkshop(async (workshop) => {
      await rotateSigningKeys(workshop, policy);
      await rotateByCommand(workshop, ['ES256'], true, { kind: 'cli' });
      assert.deepEqual(await states(workshop.store, 'ES256'), ['current', 'retired']);
      await rotateByCommand(workshop, ['ES256'], false, { kind: 'cli' });
      await rotateByCommand(workshop, ['ES256'], true, { kind: 'cli' });
      assert.deepEqual(await states(workshop.store, 'ES256'), ['current', 'retired', 'retired']);
    }));

  it('after its root key was refused a key that was announced is not the one that signs at once', () =>
    withWorkshop(async (workshop) => {
      await rotateSigningKeys(workshop, policy);
      await rotateByCommand(workshop, ['ES256'], false, { kind: 'cli' });
      const refusing = new RootKeys([
        { id: 'AAAAAA', secret: new Uint8Array(32), state: 'refused' },
        { id: 'BBBBBA', secret: new Uint8Array(32).fill(2), state: 'current' },
      ]);
      await rotateByCommand({ ...workshop, rootKeys: refusing }, ['ES256'], true, { kind: 'server' });
      const keys = new SigningKeys(refusing);
      keys.load(await readSigningKeys(workshop.store));
      assert.ok(holds(keys, keys.sign('ES256', 'JWT', {})));
      assert.deepEqual(await states(workshop.store, 'ES256'), ['current', 'retired', 'retired']);
    }));

  it('a revoked key is published no more, verifies no more, and another signs', () =>
    withWorkshop(async (workshop) => {
      const keys = new SigningKeys(rootKeys);
      keys.load(await rotateSigningKeys(workshop, policy));
      const kid = keys.currentKid('ES256') as string;
      const token = keys.sign('ES256', 'JWT', {});
      assert.equal(holds(keys, token), true);
      assert.equal(await revokeSigningKey(workshop, kid, start + 900, { kind: 'cli' }), true);
      keys.load(await rotateSigningKeys(workshop, policy));
      assert.equal(holds(keys, token), false);
      assert.ok(!keys.publicJwks().keys.some((one) => one.kid === kid));
      assert.notEqual(keys.currentKid('ES256'), kid);
      const [event] = await workshop.store.readEvents({ types: ['key.revoked'], limit: 10 });
      assert.deepEqual([event?.data?.kid, event?.until, event?.audiences], [kid, start + 900, null]);
      assert.equal(await revokeSigningKey(workshop, 'unknown', start + 900, { kind: 'cli' }), false);
    }));

  it('a token that was read lately vouches for no other', () =>
    withWorkshop(async (workshop) => {
      const keys = new SigningKeys(rootKeys);
      keys.load(await rotateSigningKeys(workshop, policy));
      const token = keys.sign('ES256', 'JWT', { sub: 'somebody', scope: 'a' });
      assert.deepEqual(keys.read(token)?.payload, { sub: 'somebody', scope: 'a' });
      assert.equal(keys.read(token), keys.read(token), 'it is at hand');
      for (let at = 0; at < token.length; at += 1) {
        const other = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
        assert.equal(keys.read(other), undefined, `changed at ${at}`);
      }
      assert.equal(keys.read(`A${token}`), undefined);
      const another = new SigningKeys(rootKeys);
      assert.equal(another.read(token), undefined, 'whose keys are others');
    }));
});

function holds(keys: SigningKeys, token: string): boolean {
  return keys.read(token) !== undefined;
}
