import { cutOffClient } from '../admin/clients.ts';
import { endSession, endSessionsOfUser, getSession, listSessions, type Session } from '../admin/sessions.ts';
import { findUser } from '../admin/users.ts';
import type { EventRecord } from '../store/store.ts';
import { type Register, storeCommand, wholeNumber } from './command.ts';
import {
  andThen,
  cliActor,
  mapOutcome,
  runOperation,
  type StoreOptions,
  valueOrFail,
  withContext,
} from './command-context.ts';
import { describeEvent } from './events.ts';
import { CommandFailure } from './failure.ts';
import { grantTable } from './grant.ts';
import { filterOf, type LiveFilterOptions } from './live-filter.ts';
import { exact, facts, print, relative, table } from './output.ts';
import { confirm } from './password-input.ts';
import type { Terminal } from './terminal.ts';
import { endedWords } from './user.ts';

/** `tessera session …`: who is signed in where. */
export const register: Register = (program, terminal) => {
  const session = program.command('session').description('See and end sessions');
  session.addCommand(
    storeCommand('list', 'List live sessions, newest first')
      .option('--user <user>', 'only of this user')
      .option('--client <client_id>', 'only with a grant of this application')
      .option('--ended', 'those that have ended')
      .option('--all', 'live and ended ones')
      .option('--limit <number>', 'how many at the most', wholeNumber, 50)
      .option('--after <next>', 'where the page before ended')
      .action((options: LiveFilterOptions) => list(terminal, options)),
  );
  session.addCommand(
    storeCommand('show', 'Show a session, its grants and its story')
      .argument('<sid>')
      .action(async (sid: string, options: StoreOptions) => {
        const story = await runOperation(terminal, options, (context) => getSession(context, sid));
        const now = Math.floor(terminal.nowMs() / 1000);
        print(terminal, options, story, ({ session: one, grants, events }) => [
          ...describe(one, now),
          '',
          ...grantTable(grants, now),
          '',
          // A story is told from its beginning.
          ...events.toReversed().map((event: EventRecord) => describeEvent(event)),
        ]);
      }),
  );
  session.addCommand(
    storeCommand('end', 'End a session and all its grants, offline ones too')
      .argument('<sid>')
      .action(async (sid: string, options: StoreOptions) => {
        const ended = await runOperation(terminal, options, (context) => endSession(context, cliActor, sid));
        print(terminal, options, ended, endedWords);
      }),
  );
  session.addCommand(
    storeCommand('end-all', 'End everything of a user or of an application')
      .option('--user <user>', 'all sessions and grants of this user')
      .option('--client <client_id>', 'everything of this application (as: client cut-off)')
      .option('--yes', 'do not ask')
      .action((options: StoreOptions & { user?: string; client?: string; yes?: boolean }) => endAll(terminal, options)),
  );
};

async function list(terminal: Terminal, options: LiveFilterOptions): Promise<void> {
  const { items, next, names } = await withContext(terminal, options, async (context) => {
    const page = valueOrFail(await listSessions(context, await filterOf(context, options)));
    const ids = [...new Set(page.items.map(({ userId }) => userId))];
    const users = await Promise.all(ids.map((userId) => context.store.get('user', userId)));
    return { ...page, names: new Map(users.map((user) => [user?.userId, user?.username])) };
  });
  const now = Math.floor(terminal.nowMs() / 1000);
  print(terminal, options, next === undefined ? { items } : { items, next }, () => [
    ...table(
      ['SID', 'USER', 'STATE', 'SIGNED IN', 'LAST SEEN', 'FROM', 'BROWSER'],
      items.map((session) => [
        session.sid,
        names.get(session.userId) ?? session.userId,
        session.endReason ?? session.state,
        relative(session.authTime, now),
        relative(session.lastSeenAt, now),
        session.origin.ip,
        session.origin.userAgent.slice(0, 40),
      ]),
    ),
    ...(next === undefined ? [] : [`There are more: --after ${next}`]),
  ]);
}

async function endAll(
  terminal: Terminal,
  options: StoreOptions & { user?: string; client?: string; yes?: boolean },
): Promise<void> {
  const { user, client } = options;
  if ((user === undefined) === (client === undefined))
    throw new CommandFailure('expected --user or --client, one of the two', 2);
  await confirm(terminal, `End everything of ${user ?? client}?`, options.yes);
  const ended = await runOperation(terminal, options, async (context) =>
    user === undefined
      ? mapOutcome(await cutOffClient(context, cliActor, { clientId: client ?? '' }), (cut) => cut.ended)
      : andThen(await findUser(context, user), ({ userId }) => endSessionsOfUser(context, cliActor, userId)),
  );
  print(terminal, options, ended, endedWords);
}

function describe(session: Session, now: number): string[] {
  const at = (time: number) => `${exact(time)} (${relative(time, now)})`;
  return facts([
    ['sid', session.sid],
    ['user', session.userId],
    ['state', session.endReason === null ? session.state : `ended: ${session.endReason}`],
    ['signed in', `${at(session.authTime)}, ${session.amr.join(' ')}`],
    ['from', `${session.origin.ip}  ${session.origin.userAgent}`],
    ['last seen', at(session.lastSeenAt)],
    ['no sign-in until', at(session.ssoUntil)],
    ['ends', at(session.endsAt)],
    ['ended', session.endedAt === null ? undefined : at(session.endedAt)],
  ]);
}
