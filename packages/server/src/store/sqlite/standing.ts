import type { Seconds } from '@tessera/protocol';
import { GrantsAtHand, userOf } from '../grants-at-hand.ts';
import type { GrantRecord } from '../records.ts';
import { type GrantStateColumns, grantStateColumns, withStateColumns } from '../rows.ts';
import type { Standing, StandingAsked } from '../store.ts';
import { type Key, packKey } from './key.ts';
import { selectGrant } from './lists.ts';
import { type GrantRow, toGrant } from './rows.ts';
import type { Statements } from './statements.ts';

// Rows come as arrays here: objects cost half as much again.
const stateColumns = grantStateColumns.join(', ');
const selectState = `SELECT ${stateColumns} FROM grant_state WHERE grant_id = ?`;
const selectStanding = `
  SELECT ${stateColumns},
    (SELECT body FROM documents WHERE kind = 'user' AND id = ?2), (SELECT version FROM documents WHERE kind = 'client' AND id = ?3),
    EXISTS (SELECT 1 FROM remembered WHERE key = ?4 AND until > ?5)
  FROM grant_state WHERE grant_id = ?1`;
const selectUser = "SELECT body FROM documents WHERE kind = 'user' AND id = ?";
const selectClientVersion = "SELECT version FROM documents WHERE kind = 'client' AND id = ?";
const selectRemembered = 'SELECT 1 FROM remembered WHERE key = ? AND until > ?';

type StandingColumns = [...GrantStateColumns, body: string | null, clientVersion: number | null, isRemembered: number];

/** Reads grants by id, alone or with what else a token hangs on. */
export class StandingReader {
  readonly #statements: Statements;
  readonly #atHand = new GrantsAtHand<Key>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  getGrant(grantId: string): GrantRecord | undefined {
    const known = this.#atHand.find(grantId);
    if (!known) return this.#read(grantId);
    const state = this.#statements.oneArray<GrantStateColumns>(selectState, known.key);
    return state && isFrom(known.origin, state) ? withStateColumns(known.grant, state) : this.#read(grantId);
  }

  /** Answers all who asked in one turn of the loop, in one reading of the file: its locks are taken once. */
  async getStandings(batch: readonly StandingAsked[]): Promise<Standing[]> {
    return this.#statements.inOneReading(() => batch.map((asked) => this.#standingOf(asked)));
  }

  #standingOf({ grantId, clientId, rememberedKey, now }: StandingAsked): Standing {
    const known = grantId === undefined ? undefined : this.#atHand.find(grantId);
    if (known) {
      const columns = this.#statements.oneArray<StandingColumns>(
        selectStanding,
        known.key,
        known.grant.userId,
        clientId ?? '',
        rememberedKey ?? '',
        now,
      );
      if (columns && isFrom(known.origin, columns))
        return {
          grant: withStateColumns(known.grant, columns),
          user: userOf(columns[11], known),
          clientVersion: columns[12] ?? undefined,
          isRemembered: columns[13] === 1,
        };
    }
    const grant = grantId === undefined ? undefined : this.#read(grantId);
    const user = grant && this.#statements.one<{ body: string }>(selectUser, grant.userId);
    const client =
      clientId === undefined ? undefined : this.#statements.oneArray<[number]>(selectClientVersion, clientId);
    return {
      grant,
      user: userOf(user?.body ?? null),
      clientVersion: client?.[0],
      isRemembered: rememberedKey !== undefined && this.isRemembered(rememberedKey, now),
    };
  }

  isRemembered(key: string, now: Seconds): boolean {
    return this.#statements.oneArray(selectRemembered, key, now) !== undefined;
  }

  #read(grantId: string): GrantRecord | undefined {
    const key = packKey(grantId);
    const row = this.#statements.one<GrantRow>(selectGrant, key);
    if (!row) return undefined;
    const grant = toGrant(row);
    this.#atHand.keep({ key, grant, origin: row.origin });
    return grant;
  }
}

function isFrom(origin: Uint8Array, columns: GrantStateColumns | StandingColumns): boolean {
  return Buffer.compare(columns[10], origin) === 0;
}
