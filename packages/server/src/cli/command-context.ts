import { existsSync } from 'node:fs';
import { type AdminContext, done, type Outcome } from '../admin/operation.ts';
import { adminResourceServer } from '../admin-resource-server.ts';
import { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/read-config.ts';
import { makeDataFolder } from '../data-folder.ts';
import { Registry } from '../registry.ts';
import { applyFormerEndings } from '../restore/apply-former-endings.ts';
import { Passwords } from '../secrets/password.ts';
import { systemRandom } from '../secrets/random.ts';
import { readRootKeys } from '../secrets/root-key-file.ts';
import { assertRootKeysAtHand, assertRootKeysOpen } from '../secrets/root-keys-at-hand.ts';
import { openStore, storeFile } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { readSigningKeys } from '../tokens/key-rotation.ts';
import { SigningKeys } from '../tokens/signing-keys.ts';
import { CommandFailure, failureOf } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** The options of every command that works on a store. */
export type StoreOptions = { config?: string; data?: string; store?: string; json?: boolean };

/** Who changes something from the command line. */
export const cliActor = { kind: 'cli' } as const;

/**
 * Opens the store the options speak of, beside a running server or alone, lets `work` work, and closes it. A store that is not there is made only with
 * `makeStore`: a typing error in `--data` should not become a store.
 */
export async function withContext<T>(
  terminal: Terminal,
  options: StoreOptions,
  work: (context: AdminContext) => Promise<T>,
  { makeStore = false } = {},
): Promise<T> {
  const config = await readStoreConfig(terminal, options);
  if (!makeStore && !hasStore(config)) throw noStore(config);
  await makeDataFolder(config.data);
  await assertRootKeysAtHand(config, terminal.env);
  const rootKeys = await readRootKeys({ env: terminal.env, dataFolder: config.data, random: systemRandom });
  const store = await openStore(config, (message) => terminal.err(message));
  try {
    assertRootKeysOpen(rootKeys, await readSigningKeys(store));
    const clock = await clockOf(terminal, store);
    const now = () => Math.floor(clock.nowMs() / 1000);
    await applyFormerEndings({ config, rootKeys, random: systemRandom, now }, store);
    return await work({
      config,
      store,
      rootKeys,
      signingKeys: new SigningKeys(rootKeys),
      registry: new Registry(store, [adminResourceServer(config.issuer)]),
      passwords: new Passwords(),
      random: systemRandom,
      now,
      nowMs: clock.nowMs,
    });
  } finally {
    await store.close();
  }
}

/** The time of a command: the database's, where many nodes share one. */
export async function clockOf(terminal: Terminal, store: Pick<Store, 'clockMs'>): Promise<Clock> {
  const clock = new Clock({ wallMs: terminal.nowMs, monotonicMs: () => performance.now() }, store, {
    warn: (_facts, message) => terminal.err(message),
    info: () => undefined,
  });
  await clock.measure();
  return clock;
}

/** The configuration the options speak of. */
export function readStoreConfig(terminal: Terminal, { config: file, data, store }: StoreOptions): Promise<Config> {
  return readConfig({
    env: terminal.env,
    cwd: terminal.cwd,
    overrides: { ...(data === undefined ? {} : { data }), ...(store === undefined ? {} : { store }) },
    ...(file === undefined ? {} : { file }),
  });
}

/** The failure of a command that finds no store. */
export function noStore({ data }: Pick<Config, 'data'>): CommandFailure {
  return new CommandFailure(
    `there is no store at ${storeFile(data)}; start the server once (tessera serve), or name its folder with --data, or a database with --store or TESSERA_STORE`,
  );
}

/** Whether there may be a store: a database elsewhere, or the file of the embedded one. */
export function hasStore({ data, store }: Pick<Config, 'data' | 'store'>): boolean {
  return store !== undefined || existsSync(storeFile(data));
}

/** Runs an operation against the store; a refusal ends the command. */
export async function runOperation<T>(
  terminal: Terminal,
  options: StoreOptions,
  operation: (context: AdminContext) => Promise<Outcome<T>>,
  settings: { makeStore?: boolean } = {},
): Promise<T> {
  return withContext(terminal, options, async (context) => valueOrFail(await operation(context)), settings);
}

/** The value of an operation; a refusal ends the command. */
export function valueOrFail<T>(outcome: Outcome<T>): T {
  if (outcome.kind === 'refuse') throw failureOf(outcome);
  return outcome.value;
}

/** Two operations, the second with what the first found. */
export async function andThen<A, B>(first: Outcome<A>, second: (value: A) => Promise<Outcome<B>>): Promise<Outcome<B>> {
  return first.kind === 'refuse' ? first : second(first.value);
}

/** An outcome with its value changed. */
export function mapOutcome<A, B>(outcome: Outcome<A>, change: (value: A) => B): Outcome<B> {
  return outcome.kind === 'refuse' ? outcome : done(change(outcome.value));
}
