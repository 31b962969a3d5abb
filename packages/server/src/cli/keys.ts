import { existsSync } from 'node:fs';
import { listKeys, revokeKey, rotateKeys, type SigningKey } from '../admin/keys.ts';
import { findRootKeyUses } from '../admin/root-keys.ts';
import type { Config } from '../config/config.ts';
import { systemRandom } from '../secrets/random.ts';
import {
  listRootKeys,
  promoteRootKey,
  type RootKeySource,
  refuseRootKey,
  rootKeyFile,
  stageRootKey,
} from '../secrets/root-key-file.ts';
import { storeFile } from '../store/open-store.ts';
import { collect, type Register, storeCommand } from './command.ts';
import {
  cliActor,
  hasStore,
  readStoreConfig,
  runOperation,
  type StoreOptions,
  withContext,
} from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { print, relative, table } from './output.ts';
import { confirm } from './password-input.ts';
import type { Terminal } from './terminal.ts';

/** `tessera keys …`: the keys that sign tokens, and the root keys that keep everything else. */
export const register: Register = (program, terminal) => {
  const keys = program.command('keys').description('Rotate and revoke keys');
  keys.addCommand(
    storeCommand('list', 'List the signing keys').action(async (options: StoreOptions) =>
      print(terminal, options, await runOperation(terminal, options, listKeys), ({ items }) =>
        keyTable(terminal, items),
      ),
    ),
  );
  keys.addCommand(
    storeCommand('rotate', 'Announce successors of the signing keys; they sign after the configured time')
      .option('--now', 'let them sign at once')
      .option('--algorithm <algorithm>', 'only ES256, RS256 or EdDSA; may come several times', collect)
      .action(async (options: StoreOptions & { now?: boolean; algorithm?: string[] }) => {
        const input = {
          atOnce: options.now ?? false,
          ...(options.algorithm === undefined ? {} : { algorithms: options.algorithm }),
        };
        const rotated = await runOperation(terminal, options, (context) => rotateKeys(context, cliActor, input));
        print(terminal, options, rotated, ({ items }) => [
          input.atOnce ? '✓ the successors sign from now on' : '✓ the successors are announced',
          ...keyTable(terminal, items),
        ]);
      }),
  );
  keys.addCommand(
    storeCommand('revoke', 'Revoke a compromised signing key: whatever it signed is refused')
      .argument('<kid>')
      .option('--yes', 'do not ask')
      .action(async (kid: string, options: StoreOptions & { yes?: boolean }) => {
        await confirm(terminal, `Revoke signing key ${kid}? All tokens it signed die.`, options.yes);
        const left = await runOperation(terminal, options, (context) => revokeKey(context, cliActor, kid));
        print(terminal, options, left, ({ items }) => [`✓ revoked ${kid}`, ...keyTable(terminal, items)]);
      }),
  );
  registerRoot(
    keys.command('root').description('The root keys: they seal refresh tokens and stored secrets'),
    terminal,
  );
};

function registerRoot(root: ReturnType<typeof storeCommand>, terminal: Terminal): void {
  root.addCommand(
    storeCommand('list', 'List the root keys, never their secrets').action(async (options: StoreOptions) => {
      const known = (await listRootKeys(await sourceOf(terminal, options))).map(({ id, state }) => ({ id, state }));
      print(terminal, options, { items: known }, ({ items }) =>
        table(
          ['ID', 'STATE'],
          items.map(({ id, state }) => [id, state]),
        ),
      );
    }),
  );
  root.addCommand(
    storeCommand('stage', 'Add a successor: it opens and does not seal yet').action(async (options: StoreOptions) => {
      const id = await stageRootKey(await sourceOf(terminal, options));
      print(terminal, options, { id }, () => [
        `✓ staged root key ${id}`,
        `Next: restart every server, so that all know it, then: tessera keys root promote ${id}`,
      ]);
    }),
  );
  root.addCommand(
    storeCommand('promote', 'Let the staged root key seal from the next start on')
      .argument('[id]', 'default: the one staged last')
      .action(async (given: string | undefined, options: StoreOptions) => {
        const source = await sourceOf(terminal, options);
        const id = given ?? (await findStaged(source));
        await promoteRootKey(source, id);
        print(terminal, options, { id }, () => [
          `✓ root key ${id} seals from the next start on; the one before still opens`,
          'Next: restart every server.',
        ]);
      }),
  );
  root.addCommand(
    storeCommand('refuse', 'Refuse a compromised root key: nothing sealed under it opens any more')
      .argument('<id>')
      .option('--yes', 'do not ask')
      .action((id: string, options: StoreOptions & { yes?: boolean }) => refuse(terminal, id, options)),
  );
}

async function refuse(terminal: Terminal, id: string, options: StoreOptions & { yes?: boolean }): Promise<void> {
  const config = await readStoreConfig(terminal, options);
  const source = await sourceOf(terminal, options);
  const uses = hasStore(config)
    ? await withContext(terminal, options, (context) => findRootKeyUses(context, id))
    : { signingKeys: [], clients: [], resourceServers: [] };
  // Without them the server could sign nothing after its restart.
  if (uses.signingKeys.length > 0)
    throw new CommandFailure(
      `signing keys ${uses.signingKeys.join(', ')} are sealed under root key ${id}; replace them first: tessera keys rotate --now`,
      1,
      uses,
    );
  const losses = [
    'Refresh tokens sealed under it die: those users sign in again.',
    ...(uses.clients.length > 0 ? [`These applications need new secrets: ${uses.clients.join(', ')}.`] : []),
    ...(uses.resourceServers.length > 0
      ? [`These APIs need new HS256 secrets: ${uses.resourceServers.join(', ')}.`]
      : []),
  ];
  await confirm(terminal, `Refuse root key ${id}? ${losses.join(' ')}`, options.yes);
  await refuseRootKey(source, id);
  print(terminal, options, { id, ...uses }, () => [
    `✓ root key ${id} is refused from the next start on`,
    ...losses,
    'Next: restart every server.',
  ]);
}

/** Where the root keys are. Reading keys that are not there would make some: a typing error in `--data` must not pass for a list of keys. */
async function sourceOf(terminal: Terminal, options: StoreOptions): Promise<RootKeySource> {
  const config = await readStoreConfig(terminal, options);
  if (!terminal.env.TESSERA_ROOT_KEYS && !existsSync(rootKeyFile(config.data)) && !hasLocalStore(config))
    throw new CommandFailure(
      `there are no root keys in ${config.data}; start the server once (tessera serve), or name its folder with --data`,
    );
  return sourceIn(terminal, config);
}

/** Beside a database the missing file is told as lost. */
function hasLocalStore({ data }: Config): boolean {
  return existsSync(storeFile(data));
}

function sourceIn(terminal: Terminal, { data }: Config): RootKeySource {
  return { env: terminal.env, dataFolder: data, random: systemRandom };
}

async function findStaged(source: RootKeySource): Promise<string> {
  const known = await listRootKeys(source);
  const last = known.at(-1);
  const current = known.findIndex(({ state }) => state === 'current');
  if (last?.state === 'accepted' && current < known.length - 1) return last.id;
  throw new CommandFailure('no root key is staged; begin with: tessera keys root stage');
}

function keyTable(terminal: Terminal, items: readonly SigningKey[]): string[] {
  const now = Math.floor(terminal.nowMs() / 1000);
  return table(
    ['KID', 'ALGORITHM', 'STATE', 'CREATED', 'SIGNS SINCE', 'UNTIL'],
    items.map((key) => [
      key.kid,
      key.algorithm,
      key.state,
      relative(key.createdAt, now),
      relative(key.activatedAt, now),
      relative(key.retiredAt, now),
    ]),
  );
}
