import { createHmac } from 'node:crypto';
import { randomId } from '../secrets/random.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import { sameText } from '../secrets/sealed.ts';
import { tokensUntil } from '../sessions/tokens-until.ts';
import type { EndReason, SettingRecord, UserRecord } from '../store/records.ts';
import type { Change, NewEvent } from '../store/store.ts';
import { foldName } from '../store/user-names.ts';
import type { DeclaredUser } from './config.ts';
import { changedKeys, type Declaration, type DeclaringWithConfig } from './declare.ts';

/**
 * Decides what makes the store's user what the file says. A new user gets all of it; one who exists only the keys the file names, and the password
 * only when the file's own has changed since it was applied, so that a password the user chose since stays. A user who is disabled, or whose password the file changed, is
 * signed out everywhere.
 */
export async function declareUser(
  user: DeclaredUser,
  declaring: DeclaringWithConfig,
): Promise<Declaration | undefined> {
  const before = await findByUsername(user.username, declaring);
  return before ? changeUser(user, before, declaring) : createUser(user, declaring);
}

async function createUser(
  user: DeclaredUser,
  { passwords, random, rootKeys, now }: DeclaringWithConfig,
): Promise<Declaration> {
  const userId = randomId(random, 16);
  const record: UserRecord = {
    userId,
    version: 0,
    username: user.username,
    emailVerified: user.emailVerified,
    claims: user.claims,
    roles: user.roles,
    disabled: user.disabled,
    createdAt: now,
    updatedAt: now,
  };
  if (user.email !== undefined) record.email = user.email;
  const credential = credentialOf(user);
  const changes: Change[] = [{ change: 'put', kind: 'user', expect: 'absent', record }];
  if (credential !== undefined) {
    record.passwordHash = user.passwordHash ?? (await passwords.hash(user.password ?? ''));
    changes.push(putApplied(userId, digestCredential(rootKeys, rootKeys.currentId, credential), undefined));
  }
  const data = { by: 'configuration file' };
  const event: NewEvent = { type: 'user.created', at: now, actor: { kind: 'server' }, userId, data };
  return { outcome: 'created', changes, events: [event] };
}

async function changeUser(
  user: DeclaredUser,
  before: UserRecord,
  declaring: DeclaringWithConfig,
): Promise<Declaration | undefined> {
  const { now } = declaring;
  const { userId } = before;
  const credential = await decideCredential(user, before, declaring);
  const record: UserRecord = { ...before, ...namedValues(user), updatedAt: now };
  if (credential.passwordHash !== undefined) record.passwordHash = credential.passwordHash;
  const changed = changedKeys(before, record);
  const changes: Change[] = [];
  const events: NewEvent[] = [];
  if (changed.length > 0) {
    changes.push({ change: 'put', kind: 'user', expect: before.version, record });
    const data = { changed, by: 'configuration file' };
    events.push({ type: 'user.changed', at: now, actor: { kind: 'server' }, userId, data });
    if (changed.includes('disabled') && record.disabled)
      changes.push(await endSessions(userId, 'user_disabled', declaring));
    else if (credential.passwordHash !== undefined)
      changes.push(await endSessions(userId, 'password_changed', declaring));
  }
  changes.push(...credential.applied);
  return changes.length === 0 ? undefined : { outcome: 'changed', changes, events };
}

/** The values of the keys the file names, as far as they are fields of the record. */
function namedValues(user: DeclaredUser): Partial<UserRecord> {
  const keys = ['username', 'email', 'emailVerified', 'claims', 'roles', 'disabled'] as const;
  const named = keys.filter((key) => user[key] !== undefined && (user.named?.includes(key) ?? true));
  return Object.fromEntries(named.map((key) => [key, user[key]]));
}

/**
 * Whether the file's password has to be set, and what is to be remembered of it. What was applied last is known by a digest under a root key. When that
 * root key was refused since, it cannot be told whether the file or the user made the difference: then the user's password stays.
 */
async function decideCredential(
  user: DeclaredUser,
  before: UserRecord,
  { store, rootKeys, passwords }: DeclaringWithConfig,
): Promise<{ passwordHash?: string; applied: Change[] }> {
  const credential = credentialOf(user);
  if (credential === undefined) return { applied: [] };
  const setting = await store.get('setting', settingName(before.userId));
  const digest = typeof setting?.value === 'string' ? setting.value : undefined;
  const keyId = digest?.split('.')[0] ?? '';
  const isReadable = digest === undefined || rootKeys.derive(keyId, 'client-secret') !== undefined;
  const isApplied = digest !== undefined && sameText(digestCredential(rootKeys, keyId, credential) ?? '', digest);
  if (isApplied && keyId === rootKeys.currentId) return { applied: [] };
  const applied = [
    putApplied(before.userId, digestCredential(rootKeys, rootKeys.currentId, credential), setting?.version),
  ];
  if (isApplied || !isReadable) return { applied };
  // A user made by another way who already has this password is left as they are.
  if (user.password !== undefined && (await passwords.verify(user.password, before.passwordHash))) return { applied };
  if (user.passwordHash !== undefined && user.passwordHash === before.passwordHash) return { applied };
  return { passwordHash: user.passwordHash ?? (await passwords.hash(user.password ?? '')), applied };
}

/** What the file says about how the user signs in, in a form in which a password and a hash cannot be the same. */
function credentialOf({ password, passwordHash }: DeclaredUser): string | undefined {
  if (password !== undefined) return `password:${password}`;
  return passwordHash === undefined ? undefined : `hash:${passwordHash}`;
}

/** `<key id>.<HMAC>`; the text is marked, so that it is never the digest of a client's secret, which shares the key. */
function digestCredential(rootKeys: RootKeys, keyId: string, credential: string): string | undefined {
  const key = rootKeys.derive(keyId, 'client-secret');
  return key && `${keyId}.${createHmac('sha256', key).update(`\0declared-user\0${credential}`).digest('base64url')}`;
}

function settingName(userId: string): string {
  return `declared-user-password/${userId}`;
}

function putApplied(userId: string, digest: string | undefined, version: number | undefined): Change {
  const record: SettingRecord = { name: settingName(userId), version: version ?? 0, value: digest };
  return { change: 'put', kind: 'setting', expect: version ?? 'absent', record };
}

/** Ends all sessions and grants of a user. Edges remember it until the last possible token has expired. */
async function endSessions(userId: string, reason: EndReason, declaring: DeclaringWithConfig): Promise<Change> {
  const at = declaring.now;
  const ending = { reason, at, actor: { kind: 'server' } as const, until: await tokensUntil(declaring, at) };
  return { change: 'end-sessions', where: { userId }, offline: true, ending };
}

async function findByUsername(username: string, { store }: DeclaringWithConfig): Promise<UserRecord | undefined> {
  // The store also finds people by their e-mail address; somebody else's address is not this user.
  const found = await store.findUser(username);
  return found && foldName(found.username) === foldName(username) ? found : undefined;
}
