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

  async get<K extends DocumentKind>(kind: K, id: string) {
    return this.readings().get(kind, id);
  }

  async list<K extends DocumentKind>(kind: K, page: PageRequest & { prefix?: string }) {
    return this.readings().list(kind, page);
  }

  async findUser(name: string) {
    return this.readings().findUser(name);
  }

  async searchUsers(prefix: string, page: PageRequest) {
    return this.readings().searchUsers(prefix, page);
  }

  async getSession(sid: string) {
    return this.readings().getSession(sid);
  }

  async getSignIn(asked: SignInAsked) {
    return this.readings().getSignIn(asked);
  }

  async listSessions(filter: SessionFilter, page: PageRequest) {
    return this.readings().listSessions(filter, page);
  }

  async getGrant(grantId: string) {
    return this.readings().getGrant(grantId);
  }

  async getStanding(asked: StandingAsked) {
    return this.readings().getStanding(asked);
  }

  async listGrants(filter: GrantFilter, page: PageRequest) {
    return this.readings().listGrants(filter, page);
  }

  async isRemembered(key: string, now: Seconds) {
    return this.readings().isRemembered(key, now);
  }

  async rememberedFrom(key: string, now: Seconds) {
    return this.readings().rememberedFrom(key, now);
  }

  async getBuckets(keys: readonly string[]) {
    return this.readings().getBuckets(keys);
  }

  async readEvents(filter: EventFilter) {
    return this.readings().readEvents(filter);
  }

  async position() {
    return this.readings().position();
  }
}
