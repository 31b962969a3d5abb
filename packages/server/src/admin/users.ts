import { concealed } from '../config/problem.ts';
import { userShape } from '../config/user-schema.ts';
import { secretText } from '../config/value-schemas.ts';
import type { Actor } from '../events/event-types.ts';
import { endingNow } from '../sessions/ending.ts';
import type { ConsentRecord, EndReason, UserRecord } from '../store/records.ts';
import type { Change, NewEvent, Page } from '../store/store.ts';
import {
  type AdminContext,
  type Attempt,
  checkVersion,
  commitOperation,
  done,
  isNestedAtMost,
  type Outcome,
  type PageInput,
  pageOf,
  type Refused,
  readInput,
  refuse,
} from './operation.ts';

/** A new password. Source: NIST SP 800-63B section 5.1.1: at least eight characters, all of Unicode, no rules of composition. */
const password = secretText('text of at least 8 characters', (value) => {
  const length = [...value].length;
  if (length < 8) return `is ${concealed(value)}; at least 8 are needed`;
  if (length > 1024) return `is ${concealed(value)}; at most 1024 are allowed`;
  return value.isWellFormed() ? undefined : 'is not text in Unicode';
}).meta({ description: 'At least 8 characters.', example: 'correct horse battery staple' });

const claims = userShape.claims.unwrap().superRefine((value, context) => {
  if (!isNestedAtMost(value, 10)) context.addIssue({ code: 'custom', message: 'is nested deeper than 10 levels' });
  else if (Buffer.byteLength(JSON.stringify(value)) > 16_384)
    context.addIssue({ code: 'custom', message: 'has more than 16384 bytes of JSON' });
});

/** What a new user is made of: the keys of `users` in the configuration file. */
export const newUserShape = {
  username: userShape.username,
  email: userShape.email,
  emailVerified: userShape.emailVerified,
  password: password.exactOptional(),
  claims: claims.default({}).meta(userShape.claims.meta() ?? {}),
  roles: userShape.roles,
  disabled: userShape.disabled,
};

/** What can be changed of a user. What is absent stays; `email: null` removes the address. */
export const userChangesShape = {
  username: userShape.username.exactOptional(),
  email: userShape.email
    .unwrap()
    .nullable()
    .exactOptional()
    .meta(userShape.email.meta() ?? {}),
  emailVerified: userShape.emailVerified.unwrap().exactOptional(),
  claims: claims.exactOptional().meta(userShape.claims.meta() ?? {}),
  roles: userShape.roles.unwrap().exactOptional(),
  disabled: userShape.disabled.unwrap().exactOptional(),
};

/** What setting a password takes. */
export const passwordShape = { password };

/** A user as administrators see one. */
export type User = Omit<UserRecord, 'passwordHash'> & { hasPassword: boolean };

/** How much an operation ended. */
export type Ended = { sessions: number; grants: number };

/** A user without what nobody may see. */
export function viewUser({ passwordHash, ...rest }: UserRecord): User {
  return { ...rest, hasPassword: passwordHash !== undefined };
}

/** Makes a user. Refused: a name or address that another user has, be it as name or as address. */
export async function createUser(context: AdminContext, actor: Actor, input: unknown): Promise<Outcome<User>> {
  const read = readInput(newUserShape, input);
  if (read.kind === 'refuse') return read;
  const { password, ...rest } = read.value;
  const passwordHash = password === undefined ? undefined : await context.passwords.hash(password);
  const at = context.now();
  const record: UserRecord = {
    userId: Buffer.from(context.random(16)).toString('hex'),
    version: 0,
    ...rest,
    ...(passwordHash === undefined ? {} : { passwordHash }),
    createdAt: at,
    updatedAt: at,
  };
  return commitOperation(context, async () => {
    const taken = await refuseTaken(context, record);
    if (taken) return taken;
    const event: NewEvent = { type: 'user.created', at, actor, userId: record.userId };
    return {
      kind: 'write',
      changes: [{ change: 'put', kind: 'user', expect: 'absent', record }],
      events: [event],
      value: () => viewUser({ ...record, version: 1 }),
    };
  });
}

/** The user of that id. */
export async function getUser(context: AdminContext, userId: string): Promise<Outcome<User>> {
  const record = await context.store.get('user', userId);
  return record ? done(viewUser(record)) : unknownUser(userId);
}

/** The user of that id, name or e-mail address, in this order. */
export async function findUser(context: AdminContext, idOrName: string): Promise<Outcome<User>> {
  const record = (await context.store.get('user', idOrName)) ?? (await context.store.findUser(idOrName));
  return record ? done(viewUser(record)) : unknownUser(idOrName);
}

/** Users, those only whose name or address begins with `search` when it is given. */
export async function listUsers(
  context: AdminContext,
  input: PageInput & { search?: string | undefined },
): Promise<Outcome<Page<User>>> {
  const page = pageOf(input);
  const { items, ...rest } = input.search
    ? await context.store.searchUsers(input.search, page)
    : await context.store.list('user', page);
  return done({ items: items.map(viewUser), ...rest });
}

/** Changes a user. Disabling ends all their sessions and grants in the same commit. */
export async function updateUser(
  context: AdminContext,
  actor: Actor,
  input: { userId: string; changes: unknown; version?: number | undefined },
): Promise<Outcome<User>> {
  const read = readInput(userChangesShape, input.changes);
  if (read.kind === 'refuse') return read;
  const { email, ...others } = read.value;
  return changeUser(context, actor, input, async (present, at) => {
    const record: UserRecord = { ...present, ...others, updatedAt: at };
    if (email === null) delete record.email;
    else if (email !== undefined) record.email = email;
    // An address nobody has proven is not verified because the one before was.
    if (record.email !== present.email && others.emailVerified === undefined) record.emailVerified = false;
    const taken = await refuseTaken(context, record);
    if (taken) return taken;
    const endings = record.disabled && !present.disabled ? [await endAll(context, actor, record, 'user_disabled')] : [];
    return { record, endings, data: { changed: Object.keys(read.value) } };
  });
}

/**
 * Gives a user another password and ends their sessions, all but `exceptSid`: whoever knew the old one is out.
 */
export async function setPassword(
  context: AdminContext,
  actor: Actor,
  input: { userId: string; body: unknown; exceptSid?: string; version?: number | undefined },
): Promise<Outcome<User>> {
  const read = readInput(passwordShape, input.body);
  if (read.kind === 'refuse') return read;
  const passwordHash = await context.passwords.hash(read.value.password);
  return changeUser(context, actor, input, async (present, at) => ({
    record: { ...present, passwordHash, updatedAt: at },
    endings: [await endAll(context, actor, present, 'password_changed', input.exceptSid)],
    data: { changed: ['password'] },
  }));
}

/** Removes a user, what they allowed, and everything they are signed in to. Their id is never given again. */
export async function removeUser(
  context: AdminContext,
  actor: Actor,
  input: { userId: string; version?: number | undefined },
): Promise<Outcome<Ended>> {
  return commitOperation(context, async () => {
    const present = await context.store.get('user', input.userId);
    if (!present) return unknownUser(input.userId);
    const stale = checkVersion('this user', present.version, input.version);
    if (stale) return stale;
    const consents = await consentsOf(context, present.userId);
    return {
      kind: 'write',
      changes: [
        { change: 'remove', kind: 'user', id: present.userId, expect: present.version },
        ...consents.map(
          ({ consentId, version }): Change => ({
            change: 'remove',
            kind: 'consent',
            id: consentId,
            expect: version,
          }),
        ),
        await endAll(context, actor, present, 'user_removed'),
      ],
      events: [{ type: 'user.removed', at: context.now(), actor, userId: present.userId }],
      value: ({ ended }) => ({ sessions: ended.sids.length, grants: ended.grantIds.length }),
    };
  });
}

async function consentsOf({ store }: AdminContext, userId: string): Promise<ConsentRecord[]> {
  const found: ConsentRecord[] = [];
  let after: string | undefined;
  do {
    const page = await store.list('consent', { ...pageOf({ after, limit: 500 }), prefix: `${userId}/` });
    found.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** The change that ends everything of a user. */
export async function endAll(
  context: AdminContext,
  actor: Actor,
  { userId }: Pick<UserRecord, 'userId'>,
  reason: EndReason,
  exceptSid?: string,
): Promise<Change> {
  return {
    change: 'end-sessions',
    where: { userId, ...(exceptSid === undefined ? {} : { exceptSid }) },
    offline: true,
    ending: await endingNow(context, reason, actor),
  };
}

/** The refusal for a user nobody knows. */
export function unknownUser(userId: string): Refused {
  return refuse('not_found', `there is no user "${userId}"`);
}

type UserChange = { record: UserRecord; endings: Change[]; data: Record<string, unknown> };

async function changeUser(
  context: AdminContext,
  actor: Actor,
  input: { userId: string; version?: number | undefined },
  change: (present: UserRecord, at: number) => Promise<UserChange | Refused>,
): Promise<Outcome<User>> {
  return commitOperation(context, async (): Promise<Attempt<User>> => {
    const present = await context.store.get('user', input.userId);
    if (!present) return unknownUser(input.userId);
    const stale = checkVersion('this user', present.version, input.version);
    if (stale) return stale;
    const at = context.now();
    const changed = await change(present, at);
    if ('kind' in changed) return changed;
    const { record, endings, data } = changed;
    return {
      kind: 'write',
      changes: [{ change: 'put', kind: 'user', expect: present.version, record }, ...endings],
      events: [{ type: 'user.changed', at, actor, userId: present.userId, data }],
      value: () => viewUser({ ...record, version: present.version + 1 }),
    };
  });
}

/** A name must lead to one user only, whichever of the two fields it stands in: else one could receive another's sign-ins. */
async function refuseTaken(context: AdminContext, record: UserRecord): Promise<Refused | undefined> {
  for (const field of ['username', 'email'] as const) {
    const name = record[field];
    const holder = name === undefined ? undefined : await context.store.findUser(name);
    if (holder && holder.userId !== record.userId)
      return refuse('conflict', `${field}: another user has this name or address; choose another`, { field });
  }
  return undefined;
}
