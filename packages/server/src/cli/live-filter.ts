import type { AdminContext } from '../admin/operation.ts';
import { findUser } from '../admin/users.ts';
import { type StoreOptions, valueOrFail } from './command-context.ts';
import { CommandFailure } from './failure.ts';

/** What a list of sessions or grants is narrowed by. */
export type LiveFilterOptions = StoreOptions & {
  user?: string;
  client?: string;
  ended?: boolean;
  all?: boolean;
  limit: number;
  after?: string;
};

/** The filter of a list, as its operation takes it. Live ones are what one asks for when one says nothing. */
export async function filterOf(context: AdminContext, { user, client, ended, all, limit, after }: LiveFilterOptions) {
  return {
    limit: checkLimit(limit),
    after,
    clientId: client,
    userId: user === undefined ? undefined : valueOrFail(await findUser(context, user)).userId,
    state: all ? undefined : ended ? ('ended' as const) : ('live' as const),
  };
}

/** A `--limit` that can be, or the end of the command. */
export function checkLimit(limit: number, most = 1000): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit;
  throw new CommandFailure(`--limit: expected a whole number from 1 to ${most}, got "${limit}"`, 2);
}
