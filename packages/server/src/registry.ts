import type { Awaitable } from './awaitable.ts';
import type { ClientRecord, ResourceServerRecord } from './store/records.ts';
import type { Store } from './store/store.ts';

type ResourceServersAtHand = {
  byAudience: ReadonlyMap<string, ResourceServerRecord>;
  all: readonly ResourceServerRecord[];
};

/** How many clients are kept at hand; the one that was read longest ago leaves first. */
const clientsAtHand = 10_000;

/**
 * Clients and resource servers at hand, as the store held them a moment ago. Whoever changes one calls `forget…`; changes by other processes arrive with
 * their events.
 */
export class Registry {
  readonly #store: Store;
  readonly #builtIn: readonly ResourceServerRecord[];
  readonly #clients = new Map<string, ClientRecord>();
  /** Counts what was forgotten: what was read before that may be old, and is not kept. */
  #forgotten = 0;
  #resourceServers: ResourceServersAtHand | undefined;
  #reading: Promise<ResourceServersAtHand> | undefined;

  /** `builtIn`: resource servers the server brings itself, such as its admin API. */
  constructor(store: Store, builtIn: readonly ResourceServerRecord[]) {
    this.#store = store;
    this.#builtIn = builtIn;
  }

  /** The client of that id: at once where it is at hand. */
  client(clientId: string): Awaitable<ClientRecord | undefined> {
    return this.#clients.get(clientId) ?? this.#readClient(clientId);
  }

  /** The client of that id, which the store holds in that version at this moment; `undefined`: it holds none. */
  clientAsOf(clientId: string, version: number | undefined): Awaitable<ClientRecord | undefined> {
    if (version === undefined) return undefined;
    const known = this.#clients.get(clientId);
    if (known?.version === version) return known;
    this.forgetClient(clientId);
    return this.#readClient(clientId);
  }

  async #readClient(clientId: string): Promise<ClientRecord | undefined> {
    const forgotten = this.#forgotten;
    const found = await this.#store.get('client', clientId);
    if (!found || forgotten !== this.#forgotten) return found;
    if (this.#clients.size >= clientsAtHand) this.#clients.delete(this.#clients.keys().next().value as string);
    this.#clients.set(clientId, found);
    return found;
  }

  /** The resource server that has this audience: at once where it is at hand. */
  resourceServer(audience: string): Awaitable<ResourceServerRecord | undefined> {
    const known = this.#resourceServers;
    return known
      ? known.byAudience.get(audience)
      : this.#readResourceServers().then((read) => read.byAudience.get(audience));
  }

  /** All resource servers, each once: at once where they are at hand. */
  resourceServers(): Awaitable<readonly ResourceServerRecord[]> {
    return this.#resourceServers?.all ?? this.#readResourceServers().then((read) => read.all);
  }

  /** Drops what is at hand of a client, so that the next request reads it. */
  forgetClient(clientId: string): void {
    this.#clients.delete(clientId);
    this.#forgotten++;
  }

  /** Drops what is at hand of resource servers. */
  forgetResourceServers(): void {
    this.#resourceServers = undefined;
    this.#reading = undefined;
  }

  #readResourceServers(): Promise<ResourceServersAtHand> {
    if (this.#reading) return this.#reading;
    const reading = this.#listResourceServers().then(
      (read) => {
        // Forgotten meanwhile: what was read may be old, and is not kept.
        if (this.#reading === reading) {
          this.#resourceServers = read;
          this.#reading = undefined;
        }
        return read;
      },
      (error) => {
        if (this.#reading === reading) this.#reading = undefined;
        throw error;
      },
    );
    this.#reading = reading;
    return reading;
  }

  async #listResourceServers(): Promise<ResourceServersAtHand> {
    const byAudience = new Map<string, ResourceServerRecord>();
    let after: string | undefined;
    do {
      const page = await this.#store.list('resource_server', { limit: 200, ...(after === undefined ? {} : { after }) });
      for (const record of page.items) for (const audience of record.audiences) byAudience.set(audience, record);
      after = page.next;
    } while (after !== undefined);
    for (const record of this.#builtIn) for (const audience of record.audiences) byAudience.set(audience, record);
    return { byAudience, all: [...new Set(byAudience.values())] };
  }
}
