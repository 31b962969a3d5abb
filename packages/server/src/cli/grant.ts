import { endGrant, type Grant, getGrant, listGrants } from '../admin/grants.ts';
import { type Register, storeCommand, wholeNumber } from './command.ts';
import { cliActor, runOperation, type StoreOptions, valueOrFail, withContext } from './command-context.ts';
import { filterOf, type LiveFilterOptions } from './live-filter.ts';
import { exact, facts, print, relative, table } from './output.ts';
import { endedWords } from './user.ts';

/** `tessera grant …`: what applications may do under the sessions. */
export const register: Register = (program, terminal) => {
  const grant = program.command('grant').description('See and end grants');
  grant.addCommand(
    storeCommand('list', 'List live grants, newest first')
      .option('--user <user>', 'only of this user')
      .option('--client <client_id>', 'only of this application')
      .option('--session <sid>', 'only under this session')
      .option('--ended', 'those that have ended')
      .option('--all', 'live and ended ones')
      .option('--limit <number>', 'how many at the most', wholeNumber, 50)
      .option('--after <next>', 'where the page before ended')
      .action(async (options: LiveFilterOptions & { session?: string }) => {
        const page = await withContext(terminal, options, async (context) =>
          valueOrFail(await listGrants(context, { ...(await filterOf(context, options)), sid: options.session })),
        );
        const now = Math.floor(terminal.nowMs() / 1000);
        print(terminal, options, page, ({ items, next }) => [
          ...grantTable(items, now),
          ...(next === undefined ? [] : [`There are more: --after ${next}`]),
        ]);
      }),
  );
  grant.addCommand(
    storeCommand('show', 'Show a grant')
      .argument('<grant_id>')
      .action(async (grantId: string, options: StoreOptions) => {
        const one = await runOperation(terminal, options, (context) => getGrant(context, grantId));
        print(terminal, options, one, (value) => describe(value, Math.floor(terminal.nowMs() / 1000)));
      }),
  );
  grant.addCommand(
    storeCommand('end', 'End a grant: its refresh token and its access tokens')
      .argument('<grant_id>')
      .action(async (grantId: string, options: StoreOptions) => {
        const ended = await runOperation(terminal, options, (context) => endGrant(context, cliActor, grantId));
        print(terminal, options, ended, endedWords);
      }),
  );
};

/** Grants in a table. */
export function grantTable(grants: readonly Grant[], now: number): string[] {
  return table(
    ['GRANT', 'CLIENT', 'KIND', 'STATE', 'GENERATION', 'USES', 'REPLAYS', 'LAST USED', 'FROM'],
    grants.map((grant) => [
      grant.grantId,
      grant.clientId,
      grant.kind,
      grant.endReason ?? grant.refusedBecause ?? grant.state,
      String(grant.generation),
      String(grant.uses),
      String(grant.replays),
      relative(grant.lastUsedAt, now),
      grant.lastOrigin.ip,
    ]),
  );
}

function describe(grant: Grant, now: number): string[] {
  const at = (time: number) => `${exact(time)} (${relative(time, now)})`;
  return facts([
    ['grant', grant.grantId],
    ['session', grant.sid],
    ['user', grant.userId],
    ['client', grant.clientId],
    ['kind', grant.kind],
    ['state', grant.endReason ?? grant.refusedBecause ?? grant.state],
    ['scopes', grant.scopes.join(' ')],
    ['resources', grant.resources.join(' ')],
    ['bound to', grant.jkt ?? undefined],
    ['generation', grant.hasRefreshToken ? grant.generation : 'no refresh token'],
    ['uses', grant.uses],
    ['replays', grant.replays],
    ['created', at(grant.createdAt)],
    ['last used', `${at(grant.lastUsedAt)}, ${grant.lastOrigin.ip}  ${grant.lastOrigin.userAgent}`],
    ['lapses unused', grant.idleAt === null ? undefined : at(grant.idleAt)],
    ['ends', at(grant.endsAt)],
    ['ended', grant.endedAt === null ? undefined : at(grant.endedAt)],
  ]);
}
