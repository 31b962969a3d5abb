import { AskedTogether } from '../asked-together.ts';
import { type GrantAtHand, GrantsAtHand, userOf } from '../grants-at-hand.ts';
import { type GrantStateColumns, grantStateColumns, withStateColumns } from '../rows.ts';
import type { Standing, StandingAsked } from '../store.ts';
import { packKey, packText, textOfKey } from './key.ts';
import { grantColumns } from './lists.ts';
import { type GrantRow, toGrant } from './rows.ts';
import type { Statements } from './statements.ts';

type MoreColumns = { body: string | null; client_version: number | null; is_remembered: boolean };
type WholeRow = GrantRow & MoreColumns & { ordinal: number; origin: Buffer };
type StandingColumns = [
  ...GrantStateColumns,
  ordinal: number,
  body: string | null,
  clientVersion: number | null,
  isRemembered: boolean,
];

const more = `
  LEFT JOIN documents c ON c.kind = 'client' AND c.id = a.client_id
  LEFT JOIN remembered r ON r.key = a.key AND r.until > a.now`;
// Of a grant at hand only what changes is read, and as arrays: that is half the work here and there.
const selectStates = `
  SELECT ${grantStateColumns.map((name) => `s.${name}`).join(', ')}, a.ordinal, d.body, c.version, r.key IS NOT NULL
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[]) WITH ORDINALITY
    AS a(grant_id, user_id, client_id, key, now, ordinal)
  LEFT JOIN grant_state s ON s.grant_id = a.grant_id
  LEFT JOIN documents d ON d.kind = 'user' AND d.id = a.user_id ${more}`;
// A user's document has the text of the id that the grant has packed (see key.ts).
const selectWhole = `
  SELECT a.ordinal, ${grantColumns}, s.origin, d.body, c.version AS client_version, r.key IS NOT NULL AS is_remembered
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[]) WITH ORDINALITY AS a(grant_id, client_id, key, now, ordinal)
  LEFT JOIN (grants g JOIN grant_state s USING (grant_id)) ON g.grant_id = a.grant_id
  LEFT JOIN documents d ON d.kind = 'user' AND d.id = ${textOfKey('g.user_id')} ${more}`;

/** Reads what tokens hang on, of all who ask at the same time in one statement: one for grants at hand, one for the others. */
export class StandingReader {
  readonly #statements: Statements;
  readonly #atHand = new GrantsAtHand<Buffer>();
  readonly #together = new AskedTogether<StandingAsked, Standing | undefined>((batch) => this.#read(batch));

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async getStanding(asked: StandingAsked): Promise<Standing> {
    for (;;) {
      const standing = await this.#together.ask(asked);
      if (standing !== undefined) return standing;
    }
  }

  /** Undefined for a grant that was used from elsewhere since it was kept: it is no longer at hand, so the next reading reads it whole. */
  async #read(batch: readonly StandingAsked[]): Promise<(Standing | undefined)[]> {
    const standings: (Standing | undefined)[] = [];
    const known: Known[] = [];
    const others: Other[] = [];
    for (const [index, asked] of batch.entries()) {
      const atHand = asked.grantId === undefined ? undefined : this.#atHand.find(asked.grantId);
      if (atHand === undefined && asked.grantId !== undefined) others.push({ index, asked });
      else known.push({ index, asked, atHand });
    }
    await Promise.all([
      known.length > 0 && this.#readStates(known, standings),
      others.length > 0 && this.#readWhole(others, standings),
    ]);
    return standings;
  }

  async #readStates(known: readonly Known[], standings: (Standing | undefined)[]): Promise<void> {
    const rows = await this.#statements.allArrays<StandingColumns>(
      selectStates,
      known.map(({ atHand }) => atHand?.key ?? null),
      known.map(({ atHand }) => (atHand === undefined ? null : packText(atHand.grant.userId))),
      ...packMore(known),
    );
    for (const row of rows) {
      const { index, atHand } = known[row[11] - 1] as Known;
      const more = { clientVersion: row[13] ?? undefined, isRemembered: row[14] };
      // Of a grant that is gone, and where none was asked for, all of the row is null.
      if (atHand === undefined || row[0] === null) standings[index] = { grant: undefined, user: undefined, ...more };
      else if (Buffer.compare(atHand.origin, row[10]) !== 0) this.#atHand.forget(atHand.grant.grantId);
      else standings[index] = { grant: withStateColumns(atHand.grant, row), user: userOf(row[12], atHand), ...more };
    }
  }

  async #readWhole(others: readonly Other[], standings: (Standing | undefined)[]): Promise<void> {
    const rows = await this.#statements.all<WholeRow>(
      selectWhole,
      others.map(({ asked }) => packKey(asked.grantId as string)),
      ...packMore(others),
    );
    for (const row of rows) {
      const more = { clientVersion: row.client_version ?? undefined, isRemembered: row.is_remembered };
      const { index } = others[row.ordinal - 1] as Other;
      if (row.grant_id === null) standings[index] = { grant: undefined, user: undefined, ...more };
      else {
        const grant = toGrant(row);
        const read: GrantAtHand<Buffer> = { key: row.grant_id, grant, origin: row.origin };
        this.#atHand.keep(read);
        standings[index] = { grant, user: userOf(row.body, read), ...more };
      }
    }
  }
}

type Other = { index: number; asked: StandingAsked };
type Known = Other & { atHand: GrantAtHand<Buffer> | undefined };

function packMore(all: readonly Other[]) {
  return [
    all.map(({ asked: { clientId } }) => (clientId === undefined ? null : packText(clientId))),
    all.map(({ asked: { rememberedKey } }) => (rememberedKey === undefined ? null : packText(rememberedKey))),
    all.map(({ asked: { now } }) => now),
  ];
}
