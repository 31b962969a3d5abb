import type { RefusalReason } from '@tessera/protocol';
import { secretText } from '../config/value-schemas.ts';
import type { Actor } from '../events/event-types.ts';
import { endingNow } from '../sessions/ending.ts';
import { grantEnd } from '../sessions/grant-end.ts';
import type { ClientRecord, GrantRecord, UserRecord } from '../store/records.ts';
import type { GrantFilter, Page } from '../store/store.ts';
import { digestGrantSecret, openRefreshToken } from '../tokens/refresh-token.ts';
import {
  type AdminContext,
  commitOperation,
  done,
  given,
  type Outcome,
  type PageInput,
  pageOf,
  readInput,
  refuse,
} from './operation.ts';
import type { Ended } from './users.ts';

/**
 * A grant as administrators see one. `state`: `refused` has not ended by itself, but is refused all the same, because of `refusedBecause`.
 */
export type Grant = Omit<GrantRecord, 'secretDigest' | 'sealKeyId'> & {
  hasRefreshToken: boolean;
  state: 'live' | 'ended' | 'refused';
  refusedBecause?: RefusalReason;
};

/** Grants without what nobody may see, each judged as a refresh would judge it. */
export async function viewGrants(context: AdminContext, records: readonly GrantRecord[]): Promise<Grant[]> {
  const now = context.now();
  const setting = await context.store.get('setting', 'issuer_epoch');
  const issuerEpoch = (setting?.value as { epoch: number } | undefined)?.epoch ?? 0;
  const clients = await readEach(records, 'clientId', (id) => context.store.get('client', id));
  const users = await readEach(records, 'userId', (id) => context.store.get('user', id));
  return records.map((grant) => {
    const { secretDigest, sealKeyId: _, ...rest } = grant;
    const facts = {
      grant,
      client: clients.get(grant.clientId) as ClientRecord | undefined,
      user: users.get(grant.userId) as UserRecord | undefined,
      issuerEpoch,
    };
    const reason = grantEnd(facts, now);
    const state = grant.endedAt !== null ? 'ended' : reason ? 'refused' : 'live';
    return {
      ...rest,
      hasRefreshToken: secretDigest !== null,
      state,
      ...(state === 'refused' && reason ? { refusedBecause: reason } : {}),
    };
  });
}

/** Grants, newest first. */
export async function listGrants(
  context: AdminContext,
  input: PageInput & { [K in keyof Omit<GrantFilter, 'now'>]: GrantFilter[K] | undefined },
): Promise<Outcome<Page<Grant>>> {
  const { after: _after, limit: _limit, ...filter } = input;
  const { items, ...rest } = await context.store.listGrants({ ...given(filter), now: context.now() }, pageOf(input));
  return done({ items: await viewGrants(context, items), ...rest });
}

/** The grant of that id. */
export async function getGrant(context: AdminContext, grantId: string): Promise<Outcome<Grant>> {
  const record = await context.store.getGrant(grantId);
  const [grant] = record ? await viewGrants(context, [record]) : [];
  return grant ? done(grant) : unknownGrant(grantId);
}

/** What finding a grant takes. The check tells nothing of the token: its seal is judged later. */
export const refreshTokenShape = {
  refreshToken: secretText('a refresh token', (value) =>
    value !== '' && value.length <= 1000 ? undefined : 'is not a refresh token',
  ).meta({ description: 'The refresh token, current or spent.' }),
};

/** The grant that a refresh token belongs to, whatever its generation: of one that was found where it should not be, say. The token is written nowhere. */
export async function findGrant(context: AdminContext, body: unknown): Promise<Outcome<Grant>> {
  const read = readInput(refreshTokenShape, body);
  if (read.kind === 'refuse') return read;
  const token = openRefreshToken(context.rootKeys, read.value.refreshToken);
  const record = token && (await context.store.getGrant(token.grantId));
  const isOfIt = token && record?.secretDigest === digestGrantSecret(token.secret);
  const [grant] = isOfIt ? await viewGrants(context, [record]) : [];
  return grant
    ? done(grant)
    : refuse('not_found', 'no grant here belongs to that refresh token; ended ones are kept for a while only');
}

/** Ends one grant: its refresh token and its access tokens. The session and its other grants live on. */
export async function endGrant(context: AdminContext, actor: Actor, grantId: string): Promise<Outcome<Ended>> {
  return commitOperation(context, async () => {
    if (!(await context.store.getGrant(grantId))) return unknownGrant(grantId);
    const ending = await endingNow(context, 'admin', actor);
    return {
      kind: 'write',
      changes: [{ change: 'end-grants', where: { grantId }, ending }],
      events: [],
      value: ({ ended }) => ({ sessions: ended.sids.length, grants: ended.grantIds.length }),
    };
  });
}

function unknownGrant(grantId: string) {
  return refuse('not_found', `there is no grant "${grantId}"; ended ones are kept for a while only`);
}

async function readEach<T>(
  records: readonly GrantRecord[],
  field: 'clientId' | 'userId',
  read: (id: string) => Promise<T>,
): Promise<Map<string, T>> {
  const ids = [...new Set(records.map((record) => record[field]))];
  return new Map(await Promise.all(ids.map(async (id) => [id, await read(id)] as const)));
}
