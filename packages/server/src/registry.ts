import type { ClientRecord, ResourceServerRecord } from './store/records.ts';
import type { Store } from './store/store.ts';

/** How many clients are kept at hand; the least recently used leaves first. */
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
  #resourceServers: Promise<Map<string, ResourceServerRecord>> | undefined;

  /** `builtIn`: resource servers the server brings itself, such as its admin API. */
  constructor(store: Store, builtIn: readonly ResourceServerRecord[]) {
    this.#store = store;
    this.#builtIn = builtIn;
  }

  /** The client of that id. */
  async client(clientId: string): Promise<ClientRecord | undefined> {
    const known = this.#clients.get(clientId);
    if (known) return known;
    const forgotten = this.#forgotten;
    const found = await this.#store.get('client', clientId);
    if (!found || forgotten !== this.#forgotten) return found;
    if (this.#clients.size >= clientsAtHand) this.#clients.delete(this.#clients.keys().next().value as string);
    this.#clients.set(clientId, found);
    return found;
  }

  /** The resource server that has this audience. */
  async resourceServer(audience: string): Promise<ResourceServerRecord | undefined> {
    return (await this.#byAudience()).get(audience);
  }

  /** All resource servers, each once. */
  async resourceServers(): Promise<ResourceServerRecord[]> {
    return [...new Set((await this.#byAudience()).values())];
  }

  /** Drops what is at hand of a client, so that the next request reads it. */
  forgetClient(clientId: string): void {
    this.#clients.delete(clientId);
    this.#forgotten++;
  }

  /** Drops what is at hand of resource servers. */
  forgetResourceServers(): void {
    this.#resourceServers = undefined;
  }

  #byAudience(): Promise<Map<string, ResourceServerRecord>> {
    this.#resourceServers ??= this.#readResourceServers().catch((error) => {
      this.#resourceServers = undefined;
      throw error;
    });
    return this.#resourceServers;
  }

  async #readResourceServers(): Promise<Map<string, ResourceServerRecord>> {
    const byAudience = new Map<string, ResourceServerRecord>();
    let after: string | undefined;
    do {
      const page = await this.#store.list('resource_server', { limit: 200, ...(after === undefined ? {} : { after }) });
      for (const record of page.items) for (const audience of record.audiences) byAudience.set(audience, record);
      after = page.next;
    } while (after !== undefined);
    for (const record of this.#builtIn) for (const audience of record.audiences) byAudience.set(audience, record);
    return byAudience;
  }
}
