import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from '../../packages/server/src/store/postgres/test-postgres.ts';
import { tellProgress } from '../progress.ts';
import type { StoreName } from '../scenarios/scenario.ts';
import { startDatabase } from '../subjects/start-database.ts';
import { type Population, populate } from './populate.ts';

/** A population and, on Postgres, the server it lives in. */
export type Housed = Population & { databasePids: readonly number[] };

/** The populations of one run. Each is made when it is first needed, and goes with the run. */
export class Populations {
  readonly #folder: string;
  readonly #made = new Map<string, Promise<{ housed: Housed; database: TestPostgres | undefined }>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** So many people on that store, with refresh tokens of so many of them, as far as they were not made yet. */
  async of(store: StoreName, sessions: number, tokens: number): Promise<Housed> {
    const key = `${store}-${sessions}`;
    const making = this.#made.get(key) ?? this.#make(store, join(this.#folder, key), sessions, tokens);
    this.#made.set(key, making);
    return (await making).housed;
  }

  /** Removes those on that store: the next needs the room. */
  async remove(store: StoreName): Promise<void> {
    for (const [key, making] of this.#made) {
      if (!key.startsWith(`${store}-`)) continue;
      this.#made.delete(key);
      const made = await making.catch(() => undefined);
      await made?.database?.remove();
      rmSync(join(this.#folder, key), { recursive: true, force: true });
    }
  }

  async #make(store: StoreName, folder: string, sessions: number, tokens: number) {
    tellProgress(`${store}: a store of ${sessions} sessions`);
    mkdirSync(folder, { recursive: true });
    const database = store === 'postgres' ? await startDatabase(folder) : undefined;
    try {
      const place = { folder, ...(database && { store: database.connectionString }) };
      const population = await populate(place, sessions, tokens);
      return { housed: { ...population, databasePids: database?.pid === undefined ? [] : [database.pid] }, database };
    } catch (error) {
      await database?.remove();
      throw error;
    }
  }
}
