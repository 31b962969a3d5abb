import type { Seconds } from '@tessera/protocol';
import type { DocumentKind } from './records.ts';
import type {
  EventFilter,
  GrantFilter,
  PageRequest,
  SessionFilter,
  SignInAsked,
  StandingAsked,
  Store,
} from './store.ts';

/** What of a store only reads. */
export type Readings = Pick<
  Store,
  | 'get'
  | 'list'
  | 'findUser'
  | 'searchUsers'
  | 'getSession'
  | 'getSignIn'
  | 'listSessions'
  | 'getGrant'
  | 'getStanding'
  | 'listGrants'
  | 'isRemembered'
  | 'rememberedFrom'
  | 'getBuckets'
  | 'readEvents'
  | 'position'
>;

/** The readings of a store that hands each on to whoever can answer it at that moment. What `readings` throws rejects the reading. */
export abstract class HandedOnReadings implements Readings {
  /** Who answers now; throws `StoreUnavailable` when nobody can. */
  protected abstract readings(): Readings;

  get<K extends DocumentKind>(kind: K, id: string) {
    return this.#handOn((to) => to.get(kind, id));
  }

  list<K extends DocumentKind>(kind: K, page: PageRequest & { prefix?: string }) {
    return this.#handOn((to) => to.list(kind, page));
  }

  findUser(name: string) {
    return this.#handOn((to) => to.findUser(name));
  }

  searchUsers(prefix: string, page: PageRequest) {
    return this.#handOn((to) => to.searchUsers(prefix, page));
  }

  getSession(sid: string) {
    return this.#handOn((to) => to.getSession(sid));
  }

  getSignIn(asked: SignInAsked) {
    return this.#handOn((to) => to.getSignIn(asked));
  }

  listSessions(filter: SessionFilter, page: PageRequest) {
    return this.#handOn((to) => to.listSessions(filter, page));
  }

  getGrant(grantId: string) {
    return this.#handOn((to) => to.getGrant(grantId));
  }

  getStanding(asked: StandingAsked) {
    return this.#handOn((to) => to.getStanding(asked));
  }

  listGrants(filter: GrantFilter, page: PageRequest) {
    return this.#handOn((to) => to.listGrants(filter, page));
  }

  isRemembered(key: string, now: Seconds) {
    return this.#handOn((to) => to.isRemembered(key, now));
  }

  rememberedFrom(key: string, now: Seconds) {
    return this.#handOn((to) => to.rememberedFrom(key, now));
  }

  getBuckets(keys: readonly string[]) {
    return this.#handOn((to) => to.getBuckets(keys));
  }

  readEvents(filter: EventFilter) {
    return this.#handOn((to) => to.readEvents(filter));
  }

  position() {
    return this.#handOn((to) => to.position());
  }

  // Not by async methods: each would be two promises more for every use of a token.
  #handOn<Answer>(read: (to: Readings) => Promise<Answer>): Promise<Answer> {
    try {
      return read(this.readings());
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
