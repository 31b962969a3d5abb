import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Client } from '../admin/client-metadata.ts';
import {
  type ClientWithSecret,
  createClient,
  cutOffClient,
  getClient,
  listClients,
  removeClient,
  rotateClientSecret,
} from '../admin/clients.ts';
import { collect, type Register, storeCommand, wholeNumber } from './command.ts';
import { cliActor, runOperation, type StoreOptions } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { checkLimit } from './live-filter.ts';
import { exact, facts, print, table } from './output.ts';
import { confirm } from './password-input.ts';
import type { Terminal } from './terminal.ts';
import { endedWords } from './user.ts';

type AddOptions = StoreOptions & {
  from?: string;
  auth?: string;
  redirectUri?: string[];
  postLogoutRedirectUri?: string[];
  grantType?: string[];
  scope?: string;
  resource?: string[];
  strategy?: string;
  skipConsent?: boolean;
};

/** `tessera client …`: the applications that are registered beside those of the configuration file. */
export const register: Register = (program, terminal) => {
  const client = program.command('client').description('Register, change and cut off applications');
  client.addCommand(
    storeCommand('add', 'Register an application; its id and its secret are made and shown')
      .argument('<name>', 'its name on the sign-in and consent pages')
      .option('--auth <method>', 'none (a public app), client_secret_basic, client_secret_post or private_key_jwt')
      .option('--redirect-uri <uri>', 'where users come back to; may come several times', collect)
      .option('--post-logout-redirect-uri <uri>', 'where they come back to after sign-out; several times', collect)
      .option('--grant-type <type>', 'authorization_code, refresh_token or client_credentials; several times', collect)
      .option('--scope <scopes>', 'the scopes it may be granted, with spaces between')
      .option('--resource <audience>', 'a default audience of its tokens; several times', collect)
      .option('--strategy <strategy>', 'stateless, server-backed, sliding or sliding-revocable')
      .option('--skip-consent', 'an app of your own: users are not asked')
      .option('--from <file>', 'JSON with further keys, as in "clients" of the configuration file')
      .action((name: string, options: AddOptions) => add(terminal, name, options)),
  );
  client.addCommand(
    storeCommand('list', 'List applications')
      .option('--limit <number>', 'how many at the most', wholeNumber, 50)
      .option('--after <next>', 'where the page before ended')
      .action((options) => list(terminal, options)),
  );
  client.addCommand(
    storeCommand('show', 'Show an application')
      .argument('<client_id>')
      .action(async (clientId: string, options: StoreOptions) =>
        print(
          terminal,
          options,
          await runOperation(terminal, options, (context) => getClient(context, clientId)),
          describe,
        ),
      ),
  );
  client.addCommand(
    storeCommand('rotate-secret', 'Give an application another secret, and show it')
      .argument('<client_id>')
      .option('--overlap <seconds>', 'for how long the old secret is good too', wholeNumber, 0)
      .action(async (clientId: string, options: StoreOptions & { overlap: number }) => {
        const body = { overlap: options.overlap };
        const rotated = await runOperation(terminal, options, (context) =>
          rotateClientSecret(context, cliActor, { clientId, body }),
        );
        print(terminal, options, rotated, (value) => [
          ...secretLines(value),
          options.overlap > 0
            ? `The old one is good for ${options.overlap} more seconds.`
            : 'The old one is no longer good.',
        ]);
      }),
  );
  client.addCommand(
    storeCommand('cut-off', 'End everything of an application at once, whoever holds it; new sign-ins work')
      .argument('<client_id>')
      .option('--yes', 'do not ask')
      .action(async (clientId: string, options: StoreOptions & { yes?: boolean }) => {
        await confirm(terminal, `End all grants and access tokens of ${clientId}?`, options.yes);
        const cut = await runOperation(terminal, options, (context) => cutOffClient(context, cliActor, { clientId }));
        print(terminal, options, cut, ({ client_name, ended }) => [
          `✓ ${client_name} is cut off: no token issued before is accepted any more`,
          endedWords(ended),
        ]);
      }),
  );
  client.addCommand(
    storeCommand('remove', 'Remove an application and end everything of it; its id is never given again')
      .argument('<client_id>')
      .option('--yes', 'do not ask')
      .action((clientId: string, options: StoreOptions & { yes?: boolean }) => remove(terminal, clientId, options)),
  );
};

async function add(terminal: Terminal, name: string, options: AddOptions): Promise<void> {
  const input: Record<string, unknown> = {
    ...(options.from === undefined ? {} : await readJsonFile(resolve(terminal.cwd, options.from))),
    client_name: name,
  };
  const given: Record<string, unknown> = {
    token_endpoint_auth_method: options.auth,
    redirect_uris: options.redirectUri,
    post_logout_redirect_uris: options.postLogoutRedirectUri,
    grant_types: options.grantType,
    scope: options.scope,
    defaultResources: options.resource,
    strategy: options.strategy,
    consent: options.skipConsent ? 'skip' : undefined,
  };
  for (const [key, value] of Object.entries(given)) if (value !== undefined) input[key] = value;
  const made = await runOperation(terminal, options, (context) => createClient(context, cliActor, input), {
    makeStore: true,
  });
  print(terminal, options, made, (client) => [
    `✓ registered ${client.client_name}`,
    ...facts([['client_id', client.client_id]]),
    ...secretLines(client),
  ]);
}

async function list(terminal: Terminal, options: StoreOptions & { limit: number; after?: string }): Promise<void> {
  checkLimit(options.limit);
  const page = await runOperation(terminal, options, (context) => listClients(context, options));
  print(terminal, options, page, ({ items, next }) => [
    ...table(
      ['CLIENT_ID', 'NAME', 'AUTHENTICATION', 'STRATEGY', 'STATE'],
      items.map((client) => [
        client.client_id,
        client.client_name,
        client.token_endpoint_auth_method,
        client.strategy,
        `${client.disabled ? 'disabled' : 'active'}${client.declared ? ' (in the file)' : ''}`,
      ]),
    ),
    ...(next === undefined ? [] : [`There are more: --after ${next}`]),
  ]);
}

async function remove(terminal: Terminal, clientId: string, options: StoreOptions & { yes?: boolean }): Promise<void> {
  const { client_name, version } = await runOperation(terminal, options, (context) => getClient(context, clientId));
  await confirm(terminal, `Remove ${client_name} (${clientId}) and end everything of it?`, options.yes);
  const ended = await runOperation(terminal, options, (context) =>
    removeClient(context, cliActor, { clientId, version }),
  );
  print(terminal, options, ended, (value) => [`✓ removed ${client_name}`, endedWords(value)]);
}

function secretLines({ client_secret: secret }: ClientWithSecret): string[] {
  if (secret === undefined) return [];
  return [...facts([['client_secret', secret]]), 'The secret is shown this once: only a digest of it is kept.'];
}

function describe(client: Client): string[] {
  const { accessToken, idle, absolute } = client.lifetimes;
  return facts([
    ['client_id', client.client_id],
    ['name', client.client_name],
    ['authentication', client.token_endpoint_auth_method],
    ['redirect URIs', client.redirect_uris.join(' ')],
    ['grant types', client.grant_types.join(' ')],
    ['scopes', client.scope],
    ['resources', client.resources === 'any' ? 'any' : client.resources.join(' ')],
    ['strategy', client.strategy],
    ['access token', accessToken && `${accessToken} s`],
    ['idle limit', idle ? `${idle} s` : undefined],
    ['absolute limit', absolute && `${absolute} s`],
    ['PKCE', client.pkce],
    ['DPoP', client.dpop],
    ['rotation', client.rotation],
    ['consent', client.consent],
    [
      'secrets',
      client.secrets.map(({ until }) => (until === null ? 'without end' : `until ${exact(until)}`)).join(', '),
    ],
    ['cut off', client.epoch === 0 ? 'never' : `${client.epoch}×`],
    ['state', client.disabled ? 'disabled' : 'active'],
    ['declared', client.declared ? 'in the configuration file' : 'no'],
    ['created', exact(client.createdAt)],
    ['changed', exact(client.updatedAt)],
  ]);
}

async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CommandFailure(`${path}: ${code === undefined ? 'is not JSON' : `cannot be read (${code})`}`, 2);
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content };
  throw new CommandFailure(`${path}: expected a JSON object, as an entry of "clients" in the configuration file`, 2);
}
