import type { Operation } from '../load/run-load.ts';
import type { Target } from '../load/target.ts';

/** Whom a figure is about: this server, the peer, the peer that uses its store as this server does, or what the machine allows at most. */
export type SubjectName = 'tessera' | 'oidc-provider' | 'oidc-provider-grouped' | 'limit';

/** This server and the peer in both ways of using a store. */
export const everyServer: readonly SubjectName[] = ['tessera', 'oidc-provider', 'oidc-provider-grouped'];

/** Where a server keeps what it keeps: a file, or a Postgres of its own. */
export type StoreName = 'sqlite' | 'postgres';

/** How much is done. `visits`: how often each scenario has its turn, all others between. `rounds`: of one visit. `seconds`: of one round. `operations`: the most of one round. `grants`: how many a scenario spreads over. */
export type Extent = {
  visits: number;
  warmUpSeconds: number;
  rounds: number;
  seconds: number;
  operations: number;
  callers: readonly number[];
  grants: number;
};

/** A scenario set up at one server. `beforeRound`: gets what has to be there anew for each round, not measured; returns for how many operations it is enough. */
export type Prepared = { operation: Operation; beforeRound?: (operations: number) => Promise<number> };

/** Requests repeated by many callers. */
export type Scenario = {
  name: string;
  subjects: readonly SubjectName[];
  prepare(target: Target, extent: Extent): Promise<Prepared>;
  /** True where the store hardly matters: measured with the first one alone. */
  onceForAllStores?: boolean;
  /** How many callers there are, if not as many as usual. */
  callers?: readonly number[];
  /** What counts: how much is done with the processor (the default), or how long a caller waits. */
  measured?: 'ops' | 'ms';
  /** The most operations of a round, where each uses something up. */
  mostOperations?: number;
  /** The most operations of a smoke run, where one takes long. */
  smokeOperations?: number;
};

/** Something to take from in turn. What is put back comes last, so that all of it is used. */
export class Turn<T> {
  #items: T[];
  #next = 0;

  constructor(items: readonly T[]) {
    this.#items = [...items];
  }

  get left(): number {
    return this.#items.length - this.#next;
  }

  take(): T | undefined {
    const item = this.#items[this.#next++];
    if (this.#next > 4096) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    return item;
  }

  putBack(item: T): void {
    this.#items.push(item);
  }
}
