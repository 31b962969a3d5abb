import type { Seconds } from '@tessera/protocol';
import type { Passwords } from '../secrets/password.ts';
import type { Random } from '../secrets/random.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import type { Change, NewEvent, Store } from '../store/store.ts';
import type { Config } from './config.ts';
import { declareClient, undeclareClients } from './declare-clients.ts';
import { declareResourceServer, undeclareResourceServers } from './declare-resource-servers.ts';
import { declareUser } from './declare-users.ts';
import { formatPath } from './problem.ts';
import { ConfigError } from './schema.ts';

/** What putting the file's users, clients and resource servers into the store needs. */
export type Declaring = { store: Store; rootKeys: RootKeys; passwords: Passwords; now: Seconds; random: Random };

/** As `Declaring`, with the settings: how long a token may live decides how long edges must remember an ending. */
export type DeclaringWithConfig = Declaring & { config: Pick<Config, 'lifetimes'> };

/** What changed, by user name, `client_id` and resource server id. All empty when the store already was as the file says. */
export type Applied = {
  users: { created: string[]; changed: string[] };
  clients: { created: string[]; changed: string[]; disabled: string[] };
  resourceServers: { created: string[]; changed: string[]; released: string[] };
};

/** The writes that make one entry what the file says; undefined when it already is. */
export type Declaration = { outcome: 'created' | 'changed'; changes: Change[]; events: NewEvent[] };

/**
 * Makes the store hold what the file declares. Nothing is written, and no event appended, where nothing changed; so it runs at every start. Nothing is removed: a
 * client that left the file is disabled and cut off, a resource server that left it stays, and both may then be changed by the admin API; users stay as they are.
 *
 * Several nodes may do it at once: who loses a race reads again. An entry whose name or audience another one of the file is about to give up waits for that.
 * Throws `ConfigError` when a name or audience belongs to something the file does not declare.
 */
export async function applyDeclarations(config: Config, settings: Declaring): Promise<Applied> {
  const declaring: DeclaringWithConfig = { ...settings, config };
  const { store } = declaring;
  const released = await untilCommitted(() => undeclareResourceServers(config.resourceServers, declaring));
  const resourceServers = await settle(store, 'resourceServers', config.resourceServers, (server) =>
    declareResourceServer(server, declaring),
  );
  const clients = await settle(store, 'clients', config.clients, (client) => declareClient(client, declaring));
  const disabled = await untilCommitted(() => undeclareClients(config.clients, declaring));
  const users = await settle(store, 'users', config.users, (user) => declareUser(user, declaring));
  return {
    users: namesOf(users, ({ username }) => username),
    clients: { ...namesOf(clients, ({ client_id }) => client_id), disabled },
    resourceServers: { ...namesOf(resourceServers, ({ id }) => id), released },
  };
}

/** The keys in which two records differ, but for those that change with every write. Values stay out of it: it stands in events. */
export function changedKeys<T extends object>(before: T, after: T): (keyof T & string)[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof T & string)[];
  return keys.filter((key) => !['version', 'updatedAt'].includes(key) && !isSame(before[key], after[key]));
}

/** How often a write that lost a race is decided again, and how long a chain of names that change hands may be. */
const rounds = 8;

type Settled<T> = { created: T[]; changed: T[] };

async function settle<T>(
  store: Store,
  list: string,
  entries: readonly T[],
  declare: (entry: T) => Promise<Declaration | undefined>,
): Promise<Settled<T>> {
  const settled: Settled<T> = { created: [], changed: [] };
  let waiting = entries;
  for (let round = 0; round < rounds && waiting.length > 0; round++) {
    const conflicting: T[] = [];
    for (const entry of waiting) {
      const declaration = await declare(entry);
      if (!declaration) continue;
      const { outcome } = await store.commit(declaration.changes, declaration.events);
      if (outcome === 'conflict') conflicting.push(entry);
      // Without an event nothing changed that anybody would notice: only a digest moved to the current root key.
      else if (declaration.events.length > 0) settled[declaration.outcome].push(entry);
    }
    waiting = conflicting;
  }
  if (waiting.length === 0) return settled;
  throw new ConfigError(
    waiting.map((entry) => `${formatPath([list, entries.indexOf(entry)])}: ${takenMessages[list]}`),
  );
}

const takenMessages: Record<string, string> = {
  users: 'its username or email belongs to another user of the store; rename that one, or choose another here',
  clients: 'somebody else keeps changing this client; try again',
  resourceServers:
    'one of its audiences belongs to another resource server of the store; remove it there, or choose another here',
};

async function untilCommitted(attempt: () => Promise<string[] | 'conflict'>): Promise<string[]> {
  for (let round = 0; round < rounds; round++) {
    const result = await attempt();
    if (result !== 'conflict') return result;
  }
  throw new ConfigError(['the store: somebody else keeps changing what left this file; try again']);
}

function namesOf<T>({ created, changed }: Settled<T>, nameOf: (entry: T) => string) {
  return { created: created.map(nameOf), changed: changed.map(nameOf) };
}

function isSame(a: unknown, b: unknown): boolean {
  // As the store keeps it: JSON, whose sections are equal whatever the order of their keys.
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
