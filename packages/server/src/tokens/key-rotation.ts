import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Seconds } from '@tessera/protocol';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { Actor } from '../events/event-types.ts';
import { type Random, withoutDash } from '../secrets/random.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import { seal, sealedUnder, unseal } from '../secrets/sealed.ts';
import type { SigningKeyRecord } from '../store/records.ts';
import type { Change, NewEvent, Store } from '../store/store.ts';
import { type SigningAlgorithm, signingAlgorithms } from './signing-keys.ts';

/** When keys change: see `keys` of the configuration. `keepRetiredFor`: the longest a token can live that a retired key signed. */
export type KeyRotationPolicy = { rotateEvery: Seconds; announceFor: Seconds; keepRetiredFor: Seconds };

/** What is to be done with the keys of one algorithm. */
export type KeyStep =
  | { step: 'create'; algorithm: SigningAlgorithm; state: 'current' | 'next' }
  /** The announced key begins to sign, the one before it retires. */
  | { step: 'activate'; key: SigningKeyRecord; retire: SigningKeyRecord | undefined }
  | { step: 'forget'; key: SigningKeyRecord };

/**
 * Decides what the schedule asks for now. Pure. A successor is published `announceFor` seconds before it signs, so that no verifier meets an
 * unknown key; a retired key stays published until the last token it signed has expired.
 */
export function decideKeyRotation(
  keys: readonly SigningKeyRecord[],
  now: Seconds,
  policy: KeyRotationPolicy,
): KeyStep[] {
  const steps: KeyStep[] = [];
  for (const algorithm of signingAlgorithms) {
    const own = keys.filter((key) => key.algorithm === algorithm);
    const current = own.find((key) => key.state === 'current');
    const next = own.find((key) => key.state === 'next');
    if (!current) {
      // A revoked key leaves no time for an announcement.
      steps.push(
        next ? { step: 'activate', key: next, retire: undefined } : { step: 'create', algorithm, state: 'current' },
      );
      continue;
    }
    const due = (current.activatedAt ?? current.createdAt) + policy.rotateEvery;
    if (!next && now >= due - policy.announceFor) steps.push({ step: 'create', algorithm, state: 'next' });
    if (next && now >= next.createdAt + policy.announceFor)
      steps.push({ step: 'activate', key: next, retire: current });
    for (const key of own)
      if (key.state === 'retired' && now > (key.retiredAt ?? now) + policy.keepRetiredFor)
        steps.push({ step: 'forget', key });
  }
  return steps;
}

/** What making and keeping keys needs. */
export type KeyWorkshop = { store: Store; rootKeys: RootKeys; random: Random; now: () => Seconds };

/**
 * Makes the store's keys what the schedule asks for, and returns them. Nodes that do it at the same time agree: each commit expects the version of one
 * `signing_keys` setting, and the loser reads again.
 */
export async function rotateSigningKeys(workshop: KeyWorkshop, policy: KeyRotationPolicy): Promise<SigningKeyRecord[]> {
  for (;;) {
    const guard = await workshop.store.get('setting', keySetting);
    const keys = await readSigningKeys(workshop.store);
    const steps = decideKeyRotation(keys, workshop.now(), policy);
    if (steps.length === 0) return keys;
    const changes: Change[] = [guardChange(guard?.version)];
    const events: NewEvent[] = [];
    for (const step of steps) await addStep(workshop, step, changes, events);
    await workshop.store.commit(changes, events);
  }
}

/** All signing keys in the store. */
export async function readSigningKeys(store: Store): Promise<SigningKeyRecord[]> {
  return (await store.list('signing_key', { limit: 1000 })).items;
}

/**
 * Lets fresh keys sign at once for algorithms whose current key cannot be opened, because the root key it was encrypted under was refused. One under a root key
 * that is not known here is left alone: others can sign with it, and it is this node that lacks something. Of nodes that find that
 * at the same time one replaces them: the others read again and find them replaced.
 */
export async function replaceMuteKeys(workshop: KeyWorkshop, actor: Actor): Promise<void> {
  await changeKeys(workshop, async (draft) => {
    const mute = signingAlgorithms.filter((algorithm) => {
      const current = draft.keys.find((key) => key.algorithm === algorithm && key.state === 'current');
      return current === undefined || isUnderRefused(workshop, current);
    });
    await addRotation(workshop, { algorithms: mute, atOnce: true, actor }, draft);
  });
}

/**
 * Begins a rotation now, by command: announces successors that will sign after `announceFor`, or, with `atOnce`, lets fresh keys sign immediately.
 * No request fails either way: verifiers fetch the key set again when they meet an unknown kid.
 */
export async function rotateByCommand(
  workshop: KeyWorkshop,
  algorithms: readonly SigningAlgorithm[],
  atOnce: boolean,
  actor: Actor,
): Promise<void> {
  await changeKeys(workshop, (draft) => addRotation(workshop, { algorithms, atOnce, actor }, draft));
}

async function addRotation(
  workshop: KeyWorkshop,
  { algorithms, atOnce, actor }: { algorithms: readonly SigningAlgorithm[]; atOnce: boolean; actor: Actor },
  { keys, changes, events }: KeysDraft,
): Promise<void> {
  const now = workshop.now();
  for (const algorithm of algorithms) {
    const current = keys.find((key) => key.algorithm === algorithm && key.state === 'current');
    const announced = keys.find((key) => key.algorithm === algorithm && key.state === 'next');
    const next = announced && isOpenable(workshop, announced) ? announced : undefined;
    // Encrypted under a root key that was refused since: it could never sign.
    if (announced && !next) changes.push(putKey(announced, { state: 'retired', retiredAt: now }));
    const successor = next ?? (await createKey(workshop, algorithm, atOnce ? 'current' : 'next'));
    if (!next) {
      changes.push({ change: 'put', kind: 'signing_key', expect: 'absent', record: successor });
      events.push({ type: 'key.created', at: now, actor, data: { kid: successor.kid, algorithm } });
    }
    if (atOnce) {
      if (next) changes.push(putKey(next, { state: 'current', activatedAt: now }));
      if (current) changes.push(putKey(current, { state: 'retired', retiredAt: now }));
      events.push({ type: 'key.activated', at: now, actor, data: { kid: successor.kid, algorithm } });
    }
  }
}

/**
 * Revokes a compromised key: it is no longer published, nothing it signed is accepted here, and the feed tells the edges (never signed by it). A successor
 * signs at once. False when there is no such key.
 */
export async function revokeSigningKey(
  workshop: KeyWorkshop,
  kid: string,
  until: Seconds,
  actor: Actor,
): Promise<boolean> {
  let found = false;
  await changeKeys(workshop, async ({ keys, changes, events }) => {
    const key = keys.find((one) => one.kid === kid);
    found = key !== undefined;
    if (!key || key.state === 'revoked') return;
    const at = workshop.now();
    changes.push(putKey(key, { state: 'revoked', retiredAt: at }));
    events.push({ type: 'key.revoked', at, actor, data: { kid, algorithm: key.algorithm }, audiences: null, until });
    if (key.state !== 'current') return;
    const next = keys.find((one) => one.algorithm === key.algorithm && one.state === 'next');
    if (next) changes.push(putKey(next, { state: 'current', activatedAt: at }));
    else
      changes.push({
        change: 'put',
        kind: 'signing_key',
        expect: 'absent',
        record: await createKey(workshop, key.algorithm, 'current'),
      });
  });
  return found;
}

/** The keys as they are, and what is to become of them. */
type KeysDraft = { keys: readonly SigningKeyRecord[]; changes: Change[]; events: NewEvent[] };

async function changeKeys(workshop: KeyWorkshop, decide: (draft: KeysDraft) => Promise<void>): Promise<void> {
  for (;;) {
    const guard = await workshop.store.get('setting', keySetting);
    const changes: Change[] = [guardChange(guard?.version)];
    const events: NewEvent[] = [];
    await decide({ keys: await readSigningKeys(workshop.store), changes, events });
    if (changes.length === 1 || (await workshop.store.commit(changes, events)).outcome === 'committed') return;
  }
}

const keySetting = 'signing_keys';

function guardChange(version: number | undefined): Change {
  return {
    change: 'put',
    kind: 'setting',
    expect: version ?? 'absent',
    record: { name: keySetting, version: 0, value: {} },
  };
}

async function addStep(workshop: KeyWorkshop, step: KeyStep, changes: Change[], events: NewEvent[]): Promise<void> {
  const at = workshop.now();
  const actor: Actor = { kind: 'server' };
  if (step.step === 'create') {
    const record = await createKey(workshop, step.algorithm, step.state);
    changes.push({ change: 'put', kind: 'signing_key', expect: 'absent', record });
    events.push({
      type: 'key.created',
      at,
      actor,
      data: { kid: record.kid, algorithm: record.algorithm, state: record.state },
    });
  } else if (step.step === 'activate') {
    changes.push(putKey(step.key, { state: 'current', activatedAt: at }));
    if (step.retire) changes.push(putKey(step.retire, { state: 'retired', retiredAt: at }));
    events.push({ type: 'key.activated', at, actor, data: { kid: step.key.kid, algorithm: step.key.algorithm } });
  } else changes.push({ change: 'remove', kind: 'signing_key', id: step.key.kid, expect: step.key.version });
}

function isOpenable({ rootKeys }: KeyWorkshop, key: SigningKeyRecord): boolean {
  return unseal(rootKeys, 'stored-secret', key.encryptedPrivateJwk) !== undefined;
}

function isUnderRefused({ rootKeys }: KeyWorkshop, key: SigningKeyRecord): boolean {
  return rootKeys.stateOf(sealedUnder(key.encryptedPrivateJwk)) === 'refused';
}

function putKey(key: SigningKeyRecord, changed: Partial<SigningKeyRecord>): Change {
  return { change: 'put', kind: 'signing_key', expect: key.version, record: { ...key, ...changed } };
}

async function createKey(
  workshop: KeyWorkshop,
  algorithm: SigningAlgorithm,
  state: 'current' | 'next',
): Promise<SigningKeyRecord> {
  const { publicJwk, privateJwk } = await generate(algorithm);
  const kid = withoutDash((await calculateJwkThumbprint(publicJwk)).slice(0, 22));
  const now = workshop.now();
  return {
    kid,
    version: 0,
    algorithm,
    publicJwk: { ...publicJwk, kid, alg: algorithm, use: 'sig' },
    encryptedPrivateJwk: seal(workshop.rootKeys, 'stored-secret', privateJwk, workshop.random),
    state,
    createdAt: now,
    activatedAt: state === 'current' ? now : null,
    retiredAt: null,
  };
}

const generatePair = promisify(generateKeyPair);

async function generate(algorithm: SigningAlgorithm): Promise<{ publicJwk: JWK; privateJwk: JWK }> {
  const { publicKey, privateKey } =
    algorithm === 'ES256'
      ? await generatePair('ec', { namedCurve: 'P-256' })
      : algorithm === 'RS256'
        ? await generatePair('rsa', { modulusLength: 2048 })
        : await generatePair('ed25519');
  return {
    publicJwk: publicKey.export({ format: 'jwk' }) as JWK,
    privateJwk: privateKey.export({ format: 'jwk' }) as JWK,
  };
}
