import { endSessionsOfUser } from '../admin/sessions.ts';
import {
  createUser,
  type Ended,
  findUser,
  listUsers,
  removeUser,
  setPassword,
  type User,
  updateUser,
} from '../admin/users.ts';
import { collect, type Register, storeCommand, wholeNumber } from './command.ts';
import { andThen, cliActor, runOperation, type StoreOptions } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { checkLimit } from './live-filter.ts';
import { count, exact, facts, print, table } from './output.ts';
import { confirm, readNewPassword } from './password-input.ts';
import type { Terminal } from './terminal.ts';

type AddOptions = StoreOptions & {
  email?: string;
  emailVerified?: boolean;
  role?: string[];
  claims?: string;
  /** False with `--no-password`. */
  password: boolean;
};
type RoleOptions = StoreOptions & { add?: string[]; remove?: string[] };

/** `tessera user …`: the people of the built-in directory. A user is named by user name, e-mail address or id. */
export const register: Register = (program, terminal) => {
  const user = program.command('user').description('Add, change and remove users');
  user.addCommand(
    storeCommand('add', 'Add a user; the password is asked for, or read from standard input')
      .argument('<name>', 'the user name')
      .option('--email <address>', 'the e-mail address')
      .option('--email-verified', 'the address is known to be theirs')
      .option('--role <role>', 'a role; may come several times. "admin" may administer this server', collect)
      .option('--claims <json>', 'claims, such as \'{"name":"Ada Lovelace"}\'')
      .option('--no-password', 'no password: they cannot sign in with one')
      .action((name: string, options: AddOptions) => add(terminal, name, options)),
  );
  user.addCommand(
    storeCommand('list', 'List users')
      .option('--search <beginning>', 'only names and addresses that begin so')
      .option('--limit <number>', 'how many at the most', wholeNumber, 50)
      .option('--after <next>', 'where the page before ended')
      .action((options) => list(terminal, options)),
  );
  user.addCommand(
    storeCommand('show', 'Show a user')
      .argument('<user>')
      .action(async (name: string, options: StoreOptions) =>
        print(terminal, options, await runOperation(terminal, options, (context) => findUser(context, name)), describe),
      ),
  );
  user.addCommand(
    storeCommand('set-password', 'Set a password (asked for, or read from standard input); ends all their sessions')
      .argument('<user>')
      .action((name: string, options: StoreOptions) => changePassword(terminal, name, options)),
  );
  for (const [name, disabled, words] of [
    ['disable', true, 'Let a user no longer sign in; ends all their sessions'],
    ['enable', false, 'Let a disabled user sign in again'],
  ] as const)
    user.addCommand(
      storeCommand(name, words)
        .argument('<user>')
        .action(async (idOrName: string, options: StoreOptions) => {
          const changed = await change(terminal, idOrName, options, () => ({ disabled }));
          print(terminal, options, changed, ({ username }) =>
            disabled ? `✓ ${username} is disabled, and signed out everywhere` : `✓ ${username} may sign in again`,
          );
        }),
    );
  user.addCommand(
    storeCommand('remove', 'Remove a user with all their sessions; their id is never given again')
      .argument('<user>')
      .option('--yes', 'do not ask')
      .action((name: string, options: StoreOptions & { yes?: boolean }) => remove(terminal, name, options)),
  );
  user.addCommand(
    storeCommand('roles', 'Show, give and take roles; new tokens obey at once')
      .argument('<user>')
      .option('--add <role>', 'give a role; may come several times', collect)
      .option('--remove <role>', 'take a role; may come several times', collect)
      .action((name: string, options: RoleOptions) => roles(terminal, name, options)),
  );
  user.addCommand(
    storeCommand('sign-out', 'End all sessions and grants of a user')
      .argument('<user>')
      .action(async (name: string, options: StoreOptions) => {
        const ended = await runOperation(terminal, options, async (context) =>
          andThen(await findUser(context, name), ({ userId }) => endSessionsOfUser(context, cliActor, userId)),
        );
        print(terminal, options, ended, endedWords);
      }),
  );
};

/** How much was ended, in words. */
export function endedWords({ sessions, grants }: Ended): string {
  return `✓ ended ${count(sessions, 'session')} and ${count(grants, 'grant')}`;
}

async function add(terminal: Terminal, username: string, options: AddOptions): Promise<void> {
  const input: Record<string, unknown> = {
    username,
    ...(options.email === undefined ? {} : { email: options.email }),
    ...(options.emailVerified ? { emailVerified: true } : {}),
    ...(options.role === undefined ? {} : { roles: options.role }),
    ...(options.claims === undefined ? {} : { claims: parseJson('--claims', options.claims) }),
  };
  if (options.password) input.password = await readNewPassword(terminal);
  const made = await runOperation(terminal, options, (context) => createUser(context, cliActor, input), {
    makeStore: true,
  });
  print(terminal, options, made, (user) => [`✓ added ${user.username}`, ...describe(user)]);
}

async function list(
  terminal: Terminal,
  options: StoreOptions & { search?: string; limit: number; after?: string },
): Promise<void> {
  checkLimit(options.limit);
  const page = await runOperation(terminal, options, (context) => listUsers(context, options));
  print(terminal, options, page, ({ items, next }) => [
    ...table(
      ['NAME', 'E-MAIL', 'ROLES', 'STATE', 'ID'],
      items.map((user) => [
        user.username,
        user.email ?? '–',
        user.roles.join(' ') || '–',
        user.disabled ? 'disabled' : 'active',
        user.userId,
      ]),
    ),
    ...(next === undefined ? [] : [`There are more: --after ${next}`]),
  ]);
}

async function changePassword(terminal: Terminal, idOrName: string, options: StoreOptions): Promise<void> {
  // Looked for before the password is asked for.
  const { userId } = await runOperation(terminal, options, (context) => findUser(context, idOrName));
  const body = { password: await readNewPassword(terminal) };
  const user = await runOperation(terminal, options, (context) => setPassword(context, cliActor, { userId, body }));
  print(terminal, options, user, ({ username }) => `✓ ${username} has a new password, and is signed out everywhere`);
}

async function remove(terminal: Terminal, idOrName: string, options: StoreOptions & { yes?: boolean }): Promise<void> {
  const { userId, username, version } = await runOperation(terminal, options, (context) => findUser(context, idOrName));
  await confirm(terminal, `Remove ${username} (${userId}) and all their sessions?`, options.yes);
  const ended = await runOperation(terminal, options, (context) => removeUser(context, cliActor, { userId, version }));
  print(terminal, options, ended, (value) => [`✓ removed ${username}`, endedWords(value)]);
}

async function roles(terminal: Terminal, idOrName: string, options: RoleOptions): Promise<void> {
  const { add: added = [], remove: removed = [] } = options;
  const isChange = added.length + removed.length > 0;
  const user = isChange
    ? await change(terminal, idOrName, options, (present) => ({
        roles: [...new Set([...present.roles, ...added])].filter((role) => !removed.includes(role)),
      }))
    : await runOperation(terminal, options, (context) => findUser(context, idOrName));
  print(terminal, options, user, ({ username, roles: present }) => `${username}: ${present.join(' ') || 'no roles'}`);
}

async function change(
  terminal: Terminal,
  idOrName: string,
  options: StoreOptions,
  changesOf: (present: User) => Record<string, unknown>,
): Promise<User> {
  return runOperation(terminal, options, async (context) =>
    andThen(await findUser(context, idOrName), (present) =>
      updateUser(context, cliActor, {
        userId: present.userId,
        changes: changesOf(present),
        version: present.version,
      }),
    ),
  );
}

function describe(user: User): string[] {
  return facts([
    ['id', user.userId],
    ['user name', user.username],
    ['e-mail', user.email && `${user.email} (${user.emailVerified ? 'verified' : 'not verified'})`],
    ['roles', user.roles.join(' ')],
    ['claims', Object.keys(user.claims).length === 0 ? undefined : JSON.stringify(user.claims)],
    ['password', user.hasPassword ? 'set' : 'none'],
    ['state', user.disabled ? 'disabled' : 'active'],
    ['created', exact(user.createdAt)],
    ['changed', exact(user.updatedAt)],
  ]);
}

/** Reads an option that holds JSON. */
export function parseJson(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandFailure(`${option}: expected JSON, got something else; mind the quotes of the shell`, 2);
  }
}
