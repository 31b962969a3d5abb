import { AskedTogether } from '../asked-together.ts';
import { GrantsAtHand, userOf } from '../grants-at-hand.ts';
import { withState } from '../rows.ts';
import type { Standing, StandingAsked } from '../store.ts';
import { packKey, packText } from './key.ts';
import { grantColumns } from './lists.ts';
import { type GrantRow, toGrant } from './rows.ts';
import type { Statements } from './statements.ts';

type StandingRow = GrantRow & {
  ordinal: number;
  origin: Buffer;
  body: string | null;
  client_version: number | null;
  is_remembered: boolean;
  /** Whether the wide row was asked for too. */
  is_whole: boolean;
};

// A user's document has the text of the id that the grant has packed (see key.ts). Of a grant at hand the asker knows it, and needs no wide row.
const selectStandings = `
  SELECT a.ordinal, ${grantColumns}, s.origin, d.body, c.version AS client_version, r.key IS NOT NULL AS is_remembered,
    a.user_id IS NULL AS is_whole
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[]) WITH ORDINALITY
    AS a(grant_id, user_id, client_id, key, now, ordinal)
  LEFT JOIN grant_state s ON s.grant_id = a.grant_id
  LEFT JOIN grants g ON g.grant_id = a.grant_id AND a.user_id IS NULL
  LEFT JOIN documents d ON d.kind = 'user' AND d.id = coalesce(a.user_id, CASE get_byte(g.user_id, 0)
    WHEN 1 THEN convert_to(rtrim(translate(encode(substr(g.user_id, 2), 'base64'), '+/', '-_'), '='), 'UTF8')
    ELSE substr(g.user_id, 2) END)
  LEFT JOIN documents c ON c.kind = 'client' AND c.id = a.client_id
  LEFT JOIN remembered r ON r.key = a.key AND r.until > a.now`;

/** Reads what tokens hang on, of all who ask at the same time in one statement. */
export class StandingReader {
  readonly #statements: Statements;
  readonly #atHand = new GrantsAtHand<Buffer>();
  readonly #together = new AskedTogether<StandingAsked, StandingRow>((batch) => this.#select(batch));

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async getStanding(asked: StandingAsked): Promise<Standing> {
    for (;;) {
      const standing = this.#standingOf(asked, await this.#together.ask(asked));
      if (standing !== undefined) return standing;
    }
  }

  async #select(batch: readonly StandingAsked[]): Promise<StandingRow[]> {
    const known = batch.map(({ grantId }) => (grantId === undefined ? undefined : this.#atHand.find(grantId)));
    const rows = await this.#statements.all<StandingRow>(
      selectStandings,
      batch.map(({ grantId }, index) => known[index]?.key ?? (grantId === undefined ? null : packKey(grantId))),
      known.map((known) => (known === undefined ? null : packText(known.grant.userId))),
      batch.map(({ clientId }) => (clientId === undefined ? null : packText(clientId))),
      batch.map(({ rememberedKey }) => (rememberedKey === undefined ? null : packText(rememberedKey))),
      batch.map(({ now }) => now),
    );
    const inOrder: StandingRow[] = [];
    for (const row of rows) inOrder[row.ordinal - 1] = row;
    return inOrder;
  }

  /** Undefined when the row must be read again, whole: the grant was used from elsewhere since it was kept, or is no longer at hand. */
  #standingOf({ grantId }: StandingAsked, row: StandingRow): Standing | undefined {
    const more = { clientVersion: row.client_version ?? undefined, isRemembered: row.is_remembered };
    if (grantId === undefined || row.generation === null) return { grant: undefined, user: undefined, ...more };
    if (row.grant_id !== null) {
      const grant = toGrant(row);
      this.#atHand.keep({ key: packKey(grantId), grant, origin: row.origin });
      return { grant, user: userOf(row.body), ...more };
    }
    // A narrow row without its wide one, which nothing here leaves behind: asking again would bring the same.
    if (row.is_whole) return { grant: undefined, user: userOf(row.body), ...more };
    const known = this.#atHand.find(grantId);
    if (known && Buffer.compare(known.origin, row.origin) === 0)
      return { grant: withState(known.grant, row), user: userOf(row.body, known), ...more };
    this.#atHand.forget(grantId);
    return undefined;
  }
}
